import { z } from "zod";
import { amount, id, instant } from "./common.ts";
import { groupState } from "./definitions.ts";

const queue = z.object({ queued: z.number(), active: z.number(), failed: z.number() });

export const engineStatus = z.object({
  phase: z.enum(["starting", "running", "stopping"]),
  database: z.enum(["postgres", "pglite"]),
  market: z.object({
    feed: z.string(),
    simulated: z.boolean(),
    now: instant,
    from: instant.nullable(),
    to: instant.nullable(),
    /** Every recorded candle has been played. */
    finished: z.boolean(),
  }),
  /** Messages waiting, being worked on, given up; null while the queue is not open. */
  queues: z.object({ ticks: queue, shards: queue }).nullable(),
  /** What the start restored; null until the engine runs. */
  recovery: z
    .object({
      shards: z.number(),
      restored: z.number(),
      resumed: z.number(),
      openTicks: z.number(),
      durationMs: z.number(),
    })
    .nullable(),
  progress: z.object({
    /** Since this node started. */
    ticks: z.number(),
    cycles: z.number(),
    cyclesPerSecond: z.number(),
    strategies: z.number(),
    byState: z.object({
      running: z.number(),
      composing: z.number(),
      executing: z.number(),
      stopped: z.number(),
      cancelled: z.number(),
    }),
  }),
  /** The supervisors of this node: one per template it has worked for. */
  groups: z.array(
    z.object({
      definitionId: id,
      state: groupState,
      /** `scheduledFor` of the tick under way. */
      tickFor: instant.nullable(),
      /** Shards of it that this node waits for. */
      outstandingShards: z.number(),
      /** Ticks that this node had to skip since it started. */
      skipped: z.number(),
    }),
  ),
  totals: z.object({ equity: amount, pnl: amount }),
});
