import { z } from "zod";
import { lineInput } from "#domain/inputs.ts";
import { instant } from "./common.ts";

// Spans are parsed by the service, which names the field and says what was expected.
export const pruneRequest = z.strictObject({
  /** Younger than this, everything is kept: `90d`, `36h`, `12w`. */
  keep: lineInput(20),
  /** Younger than this, one cycle per hour is kept, then one per day. */
  keepHourly: lineInput(20).optional(),
  /** Only count what would be removed. */
  dryRun: z.boolean().default(false),
});

const sizes = z.object({
  strategy_compose_cycles: z.number(),
  strategy_portfolio_views: z.number(),
  strategy_holdings: z.number(),
  ticks: z.number(),
  agent_runs: z.number(),
});

export const pruneReport = z.object({
  phase: z.enum(["cycles", "ticks", "vacuum", "done", "stopped", "failed"]),
  dryRun: z.boolean(),
  /** By template. */
  cutoffs: z.record(z.string(), z.object({ hourlyBefore: instant, dailyBefore: instant })),
  strategies: z.object({ total: z.number(), done: z.number() }),
  /** Cycles and ticks looked at. */
  looked: z.number(),
  /** Rows removed, or for a dry run rows that would be. */
  removed: z.object({
    cycles: z.number(),
    views: z.number(),
    holdings: z.number(),
    ticks: z.number().nullable(),
    agentRuns: z.number().nullable(),
  }),
  elapsedMs: z.number(),
  /** Bytes with indexes; `after` once it ended. */
  sizes: z.object({ before: sizes, after: sizes.nullable() }),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});
