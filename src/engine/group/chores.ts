import { errorMessage } from "#domain/errors.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";

/** Work that nobody waits for, except a sweep and a shutdown; a failure is logged. */
export class Chores {
  readonly #dependencies: Pick<EngineDependencies, "logger" | "watch">;
  readonly #underWay = new Set<Promise<void>>();

  constructor(dependencies: Pick<EngineDependencies, "logger" | "watch">) {
    this.#dependencies = dependencies;
  }

  /** Runs `work`; `what` failed is said in the log unless an outage of the database explains it. */
  begin(what: string, work: () => Promise<unknown>): void {
    const chore = this.#run(what, work).finally(() => this.#underWay.delete(chore));
    this.#underWay.add(chore);
  }

  /** Resolves when what is under way has ended. */
  async done(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #run(what: string, work: () => Promise<unknown>): Promise<void> {
    const { logger, watch } = this.#dependencies;
    try {
      await work();
    } catch (error) {
      if (!watch.blames(error)) logger.warn({ error: errorMessage(error) }, `${what} failed`);
    }
  }
}
