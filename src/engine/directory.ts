import type { EngineParts } from "./engine-parts.ts";
import { GroupHost } from "./group-host.ts";
import type { LocalShards } from "./local-shards.ts";
import type { Resident } from "./resident.ts";
import type { TickInputs } from "./tick-inputs.ts";

/** Every live actor of this thread by its id. */
export class Directory {
  readonly #parts: EngineParts;
  readonly #inputs: TickInputs;
  readonly #groups = new Map<string, GroupHost>();
  readonly #shards: LocalShards;

  constructor(parts: EngineParts, inputs: TickInputs, shards: LocalShards) {
    this.#parts = parts;
    this.#inputs = inputs;
    this.#shards = shards;
  }

  group(definitionId: string): GroupHost {
    const known = this.#groups.get(definitionId);
    if (known !== undefined) return known;
    const group = new GroupHost(definitionId, this.#parts, this.#inputs);
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
