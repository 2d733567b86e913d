import type { JsonObject } from "#domain/json.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { instant, timestamps } from "./columns.ts";
import { StrategyDefinition } from "./strategy-definition.entity.ts";

export const tickStatuses = [
  "pending",
  "running",
  "completed",
  "timed_out",
  "skipped",
  "failed",
] as const;

/** One scheduled run of one definition, with the market it saw. */
const TickSchema = defineEntity({
  name: "Tick",
  tableName: "ticks",
  properties: {
    id: p.uuid().primary(),
    definition: () => p.manyToOne(StrategyDefinition).deleteRule("cascade"),
    scheduledFor: instant(),
    previousFor: instant().nullable(),
    status: p.enum(tickStatuses),
    definitionVersion: p.integer().nullable(),
    marketSnapshot: p.json<MarketSnapshot>().nullable(),
    analysisMs: p.integer().nullable(),
    // On the engine's clock, like `scheduledFor`; `closedAt` is the database's wall clock.
    deadline: instant().nullable(),
    shardsTotal: p.integer().default(0),
    shardsSettled: p.integer().default(0),
    cycles: p.integer().default(0),
    failures: p.integer().default(0),
    error: p.json<JsonObject>().nullable(),
    closedAt: instant().nullable(),
    ...timestamps(),
  },
  uniques: [{ name: "uq_tick_scheduled_for", properties: ["definition", "scheduledFor"] }],
  indexes: [
    { name: "idx_ticks_scheduled_for", properties: ["scheduledFor", "id"] },
    // Counted per definition without reading its history.
    { name: "idx_ticks_skipped", properties: ["definition"], where: "status = 'skipped'" },
    {
      // Two ticks of one definition can never be open at once, whoever proposes them.
      name: "uq_tick_open",
      expression:
        'create unique index "uq_tick_open" on "ticks" ("definition_id") where status in (\'pending\', \'running\')',
    },
  ],
});

export class Tick extends TickSchema.class {}
TickSchema.setClass(Tick);
