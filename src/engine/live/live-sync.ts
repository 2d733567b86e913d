import type { StrategyFigures } from "#ports/store.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";
import type { ShardRunner } from "#engine/shard/shard-runner.ts";

/**
 * Shows what this node did not commit itself: strategies just created, and what other nodes of the
 * same database did. Costs one small read per look, and rows of those shards only that moved.
 * A node that leaves marks its strategies cancelled; whoever stays has them run on.
 */
export class LiveSync {
  readonly #dependencies: EngineDependencies;
  readonly #shards: ShardRunner;
  /** The newest head of each shard that is shown. */
  readonly #shown = new Map<string, { version: number; rosterVersion: number }>();

  constructor(dependencies: EngineDependencies, shards: ShardRunner) {
    this.#dependencies = dependencies;
    this.#shards = shards;
  }

  async look(): Promise<void> {
    const { live, store } = this.#dependencies;
    const heads = await store.shardHeads();
    const moved = heads.filter((head) => {
      const shown = this.#shown.get(head.id);
      const own = this.#shards.versionOf(head.id);
      return (
        shown === undefined ||
        head.rosterVersion !== shown.rosterVersion ||
        (head.version !== shown.version && head.version !== own)
      );
    });
    if (moved.length > 0) {
      const figures = await store.figures(moved.map(({ id }) => id));
      await this.#runOn(figures);
      live.committed(
        figures.map((strategy) => {
          const known = live.get(strategy.strategyId);
          return {
            ...strategy,
            lastStatus: known?.lastStatus ?? null,
            lastSignal: known?.lastSignal ?? null,
            inProgress: known?.inProgress ?? null,
          };
        }),
      );
    }
    for (const { id, version, rosterVersion } of heads) {
      this.#shown.set(id, { version, rosterVersion });
    }
  }

  async #runOn(figures: readonly StrategyFigures[]): Promise<void> {
    const left = figures.filter(({ state }) => state === "cancelled");
    const shardIds = new Set(left.map(({ shardId }) => shardId));
    // In mailbox order like all work on a shard; a second message finds nothing left to do.
    const messages = [...shardIds].map((key) => ({ key, body: { kind: "resume" } }));
    if (messages.length > 0) await this.#dependencies.queue.send("shards", messages);
  }
}
