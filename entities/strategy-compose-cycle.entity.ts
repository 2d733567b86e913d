import type { ContextBefore } from "#domain/cycle.ts";
import type { Decision } from "#domain/decision.ts";
import type { FillState } from "#domain/exit.ts";
import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { double, instant, timestamps } from "./columns.ts";
import { Strategy } from "./strategy.entity.ts";

/**
 * One reaction of one strategy. Its history hangs on (strategy, cycle index): that key is also the
 * order of every list, and it lets the tables be partitioned by strategy.
 */
const StrategyComposeCycleSchema = defineEntity({
  name: "StrategyComposeCycle",
  tableName: "strategy_compose_cycles",
  properties: {
    strategy: () => p.manyToOne(Strategy).primary().deleteRule("cascade"),
    cycleIndex: p.integer().primary(),
    composeId: p.uuid(),
    // No foreign key: all cycles of a tick would lock its one row; ticks are pruned on their own.
    tickId: p.uuid().nullable(),
    cause: p.enum(["tick", "stop", "protection", "manual", "order"] as const),
    composeTime: instant(),
    status: p.enum(["completed", "failed", "skipped"] as const),
    rationale: p.text(),
    decision: p.json<Omit<Decision, "rationale" | "state">>().nullable(),
    // The decision state before this cycle.
    stateBefore: p.json<JsonObject>().nullable(),
    // What the cycle before left, written when retention removes that one.
    contextBefore: p.json<ContextBefore>().nullable(),
    // Exits under way and volume taken, as this cycle found them; null where there was neither.
    fillsBefore: p.json<FillState>().nullable(),
    paramsVersion: p.integer(),
    definitionVersion: p.integer(),
    error: p.json<JsonObject>().nullable(),
    durationMs: double(),
    ...timestamps(),
  },
  uniques: [
    { name: "uq_strategy_compose_cycle", properties: ["strategy", "composeId"] },
    // The tick first: a tick's entries stand side by side, however long each strategy's history.
    { name: "uq_strategy_cycle_tick", properties: ["tickId", "strategy"] },
  ],
});

export class StrategyComposeCycle extends StrategyComposeCycleSchema.class {}
StrategyComposeCycleSchema.setClass(StrategyComposeCycle);
