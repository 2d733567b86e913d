import type { TickInput } from "#domain/tick.ts";
import type { EngineStore } from "#ports/store.ts";
import { frozen } from "#domain/json.ts";

const KEPT = 8;

/** The stored analysis of recent ticks, read once per node instead of once per shard. */
export class TickInputs {
  readonly #store: Pick<EngineStore, "tickInput">;
  readonly #kept = new Map<string, Promise<TickInput | null>>();

  constructor(store: Pick<EngineStore, "tickInput">) {
    this.#store = store;
  }

  /** Takes what this node is about to commit; used only by shard jobs, which exist once it has. */
  keep(input: TickInput): void {
    this.#remember(input.tick.id, Promise.resolve(input));
  }

  async get(tickId: string): Promise<TickInput | null> {
    const known = this.#kept.get(tickId);
    if (known !== undefined) return known;
    const read = this.#store.tickInput(tickId).then(frozen);
    this.#remember(tickId, read);
    read.catch(() => this.#kept.delete(tickId));
    return read;
  }

  #remember(tickId: string, input: Promise<TickInput | null>): void {
    this.#kept.set(tickId, input);
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > KEPT && oldest.done !== true) this.#kept.delete(oldest.value);
  }
}
