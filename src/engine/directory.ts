import { errorMessage } from "#domain/errors.ts";
import type { Tick } from "#domain/tick.ts";
import { Chores } from "./group/chores.ts";
import { createGroupMachine, type GroupDependencies } from "./group/group-effects.ts";
import { GroupHost, type GroupView } from "./group/group-host.ts";
import type { LocalShards } from "./shard/local-shards.ts";
import type { Resident } from "./strategy/resident.ts";

/** Every live actor of this thread by its id. */
export class Directory {
  readonly #dependencies: GroupDependencies;
  readonly #chores: Chores;
  readonly #machine;
  readonly #groups = new Map<string, GroupHost>();
  readonly #shards: LocalShards;

  constructor(dependencies: GroupDependencies, shards: LocalShards) {
    this.#dependencies = dependencies;
    this.#shards = shards;
    this.#chores = new Chores(dependencies);
    this.#machine = createGroupMachine(dependencies, this.#chores);
  }

  group(definitionId: string): GroupHost {
    const known = this.#groups.get(definitionId);
    if (known !== undefined) return known;
    const group = new GroupHost(definitionId, this.#machine, (error) => {
      // The next message finds a fresh one, which the next sweep tells what is open.
      this.#groups.delete(definitionId);
      const detail = { definitionId, error: errorMessage(error) };
      this.#dependencies.logger.error(detail, "a group failed, starting another");
    });
    this.#groups.set(definitionId, group);
    return group;
  }

  groups(): GroupView[] {
    return [...this.#groups.values()].map(({ view }) => view);
  }

  /** Ticks whose shards the groups of this node wait for. */
  fannedOutTicks(): Tick[] {
    return [...this.#groups.values()].flatMap(({ fannedOut }) => fannedOut ?? []);
  }

  /** Undefined also for one that lives in another thread. */
  strategy(strategyId: string): Resident | undefined {
    return this.#shards.strategy(strategyId);
  }

  /** Resolves when no group closes or gives up a tick or escalates a failure. */
  async settled(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.closed()));
    await this.#chores.done();
  }

  /** Groups end with the node: what they must not forget is in the database. */
  async close(): Promise<void> {
    await this.settled();
    for (const group of this.#groups.values()) group.stop();
  }
}
