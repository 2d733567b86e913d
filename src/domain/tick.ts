import type { Analysis } from "./analysis.ts";
import type { Definition } from "./definition.ts";
import type { MarketSnapshot } from "./market.ts";

/**
 * `pending`: proposed, its job is queued. `running`: analysis and shard jobs are committed.
 * `completed`: every shard settled. `timed_out`: closed at its deadline with shards missing.
 * `skipped`: came while another tick of its definition was open. `failed`: analysis impossible.
 */
export type TickStatus = "pending" | "running" | "completed" | "timed_out" | "skipped" | "failed";

/** What the supervisor of a definition does. */
export type GroupState = "idle" | "analysing" | "fanningOut" | "paused";

export interface Tick {
  id: string;
  definitionId: string;
  /** ms UTC, a period boundary. */
  scheduledFor: number;
  /** The definition's previous tick that ran, ms UTC; null for its first. */
  previousFor: number | null;
  status: TickStatus;
}

/** The frozen input of a tick's cycles. */
export interface TickInput {
  tick: Tick;
  definition: Definition;
  market: MarketSnapshot;
  analysis: Analysis;
}
