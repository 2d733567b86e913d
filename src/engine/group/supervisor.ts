import type { Timer } from "#ports/clock.ts";
import type { GroupHost } from "./group-host.ts";

export interface StrategyFailure {
  definitionId: string;
  shardId: string;
  strategyId: string;
  error: string;
}

export interface ShardFailure {
  definitionId: string;
  shardId: string;
  error: string;
}

/**
 * Where shards report what failed and was restored from its last commit. Whether it is left at that
 * is decided later and carried out by other means: no commit waits for it.
 */
export interface Supervisor {
  /** A strategy's actor failed; its cycle is recorded as failed. */
  strategyFailed(failure: StrategyFailure): void;
  /** A message of a shard failed and goes back to the queue; its actors are restored. */
  shardFailed(failure: ShardFailure): void;
}

/** Tells each failure to the group of its definition. */
export function createSupervisor(
  groupOf: (definitionId: string) => Pick<GroupHost, "tell">,
  timer: Timer,
): Supervisor {
  const elapsedMs = (): number => timer.elapsed();
  return {
    strategyFailed: ({ definitionId, ...failure }) =>
      groupOf(definitionId).tell({ type: "STRATEGY_FAILED", ...failure, elapsedMs: elapsedMs() }),
    shardFailed: ({ definitionId, ...failure }) =>
      groupOf(definitionId).tell({ type: "SHARD_FAILED", ...failure, elapsedMs: elapsedMs() }),
  };
}
