import { z } from "zod";
import { referenceInput } from "#domain/inputs.ts";
import { id, instant, json } from "./common.ts";

export const groupState = z.enum(["idle", "analysing", "fanningOut", "paused"]);

/** By name or id. */
export const named = z.strictObject({ definition: referenceInput });

export const definition = z.object({
  id,
  name: z.string(),
  displayName: z.string(),
  description: z.string(),
  philosophy: z.string(),
  decisionAgent: z.string(),
  agents: z.array(z.object({ name: z.string(), required: z.boolean(), weight: z.number() })),
  tradeChannel: z.string(),
  symbols: z.array(z.string()),
  periodMinutes: z.number(),
  defaultParams: json,
  version: z.number(),
  catchUp: z.enum(["one", "skip"]),
  isActive: z.boolean(),
  /** Strategies not archived, and those of them that are wanted to run. */
  strategies: z.number(),
  running: z.number(),
  lastTickFor: instant.nullable(),
  /** What its group does, on whatever node. */
  state: groupState,
  /** When it was paused: no new ticks, one under way ends. */
  pausedAt: instant.nullable(),
  /** Ticks that came while one was under way. */
  skippedTicks: z.number(),
  /** From one new bar of its symbols to the next; null: prices come at any time. */
  barMinutes: z.number().nullable(),
  /** Its period is shorter than its bars: it waits for each of them and decides once. */
  waitsForBars: z.boolean(),
});

/** … and how to set the params of its strategies. */
export const definitionDetail = definition.extend({
  params: z.array(
    z.object({
      /** Dotted path, e.g. `agent_weights.macro`. */
      name: z.string(),
      description: z.string(),
      type: z.string(),
      default: z.json(),
      minimum: z.number().nullable(),
      maximum: z.number().nullable(),
    }),
  ),
});

export const pauseResult = z.object({ outcome: z.enum(["requested", "unchanged"]), definition });
