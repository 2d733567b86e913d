import { z } from "zod";
import { id, instant, json } from "./common.ts";

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
