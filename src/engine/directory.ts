import type { ShardHead } from "#ports/store.ts";
import type { EngineParts } from "./engine-parts.ts";
import { GroupHost } from "./group-host.ts";
import type { Resident } from "./resident.ts";
import { ShardHost } from "./shard-host.ts";
import type { TickInputs } from "./tick-inputs.ts";

/** Every live actor of this node by its id. */
export class Directory {
  readonly #parts: EngineParts;
  readonly #inputs: TickInputs;
  readonly #groups = new Map<string, GroupHost>();
  readonly #shards = new Map<string, ShardHost>();

  constructor(parts: EngineParts, inputs: TickInputs) {
    this.#parts = parts;
    this.#inputs = inputs;
  }

  group(definitionId: string): GroupHost {
    const known = this.#groups.get(definitionId);
    if (known !== undefined) return known;
    const group = new GroupHost(definitionId, this.#parts, this.#inputs);
    this.#groups.set(definitionId, group);
    return group;
  }

  shard(head: Pick<ShardHead, "id" | "definitionId">): ShardHost {
    const known = this.#shards.get(head.id);
    if (known !== undefined) return known;
    const shard = new ShardHost(head, this.#parts);
    this.#shards.set(head.id, shard);
    return shard;
  }

  get shards(): Iterable<ShardHost> {
    return this.#shards.values();
  }

  get groups(): Iterable<[string, GroupHost]> {
    return this.#groups.entries();
  }

  strategy(strategyId: string): Resident | undefined {
    for (const shard of this.#shards.values()) {
      const resident = shard.residents.get(strategyId);
      if (resident !== undefined) return resident;
    }
    return undefined;
  }
}
