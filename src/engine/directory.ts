import type { EngineDependencies } from "./dependencies.ts";
import { GroupHost } from "./group/group-host.ts";
import type { LocalShards } from "./shard/local-shards.ts";
import type { Resident } from "./strategy/resident.ts";
import type { TickInputs } from "./group/tick-inputs.ts";

/** Every live actor of this thread by its id. */
export class Directory {
  readonly #dependencies: EngineDependencies;
  readonly #inputs: TickInputs;
  readonly #groups = new Map<string, GroupHost>();
  readonly #shards: LocalShards;

  constructor(dependencies: EngineDependencies, inputs: TickInputs, shards: LocalShards) {
    this.#dependencies = dependencies;
    this.#inputs = inputs;
    this.#shards = shards;
  }

  group(definitionId: string): GroupHost {
    const known = this.#groups.get(definitionId);
    if (known !== undefined) return known;
    const group = new GroupHost(definitionId, this.#dependencies, this.#inputs);
    this.#groups.set(definitionId, group);
    return group;
  }

  get groups(): Iterable<[string, GroupHost]> {
    return this.#groups.entries();
  }

  /** Undefined also for one that lives in another thread. */
  strategy(strategyId: string): Resident | undefined {
    return this.#shards.strategy(strategyId);
  }
}
