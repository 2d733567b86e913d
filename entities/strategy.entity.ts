import type { JsonObject } from "#domain/json.ts";
import { StopReason, StrategyState } from "#domain/strategy.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { amount, fraction, instant, randomId, timestamps } from "./columns.ts";
import { Shard } from "./shard.entity.ts";
import { StrategyDefinition } from "./strategy-definition.entity.ts";
import { User } from "./user.entity.ts";

export const strategyStatuses = ["running", "stopped", "cancelled"] as const;
export type StrategyStatus = (typeof strategyStatuses)[number];

export const riskLevels = ["low", "medium", "high"] as const;
export type RiskLevel = (typeof riskLevels)[number];

const listed = "archived_at is null";

/**
 * A strategy with its money as of its last cycle. Every cycle updates the row, so no column that a
 * cycle changes may be indexed: the update then stays inside its page (HOT).
 */
const StrategySchema = defineEntity({
  name: "Strategy",
  tableName: "strategies",
  properties: {
    id: randomId(),
    strategyDefinition: () => p.manyToOne(StrategyDefinition),
    user: () => p.manyToOne(User),
    shard: () => p.manyToOne(Shard).index("idx_strategies_shard"),
    instanceName: p.text(),
    instanceDescription: p.text().default(""),
    instanceParams: p.json<JsonObject>(),
    paramsVersion: p.integer().default(1),
    tradingMode: p.enum(["paper", "live"] as const).default("paper"),
    // `status` is the life people see, `state` the machine's own.
    status: p.enum(strategyStatuses).default("running"),
    state: p.enum(Object.values(StrategyState)).default("running"),
    // What the owner wants; the engine reconciles to it (I14).
    desiredStatus: p.enum(["running", "stopped"] as const).default("running"),
    // The stop that is asked for and not yet carried out.
    stopCommandId: p.uuid().nullable(),
    stopClosePositions: p.boolean().nullable(),
    stopRequestReason: p.text().nullable(),
    stopReason: p.enum(Object.values(StopReason)).nullable(),
    stopReasonDetail: p.text().nullable(),
    isActive: p.boolean().default(true),
    initialBalance: amount().check("initial_balance > 0"),
    currentBalance: amount(),
    totalValue: amount(),
    realizedPnl: amount(),
    unrealizedPnl: amount(),
    totalPnl: amount(),
    totalTrades: p.integer().default(0),
    winningTrades: p.integer().default(0),
    losingTrades: p.integer().default(0),
    // Null until a trade has closed.
    winRate: fraction().nullable(),
    maxDrawdown: fraction(),
    peakValue: amount(),
    cycleIndex: p.integer().default(0),
    lastExecutionTime: instant().nullable(),
    strategyMetadata: p.json<JsonObject>().defaultRaw("'{}'"),
    tags: p.json<string[]>().defaultRaw("'[]'"),
    riskLevel: p.enum(riskLevels).default("medium"),
    archivedAt: instant().nullable(),
    ...timestamps(),
  },
  indexes: [
    // The orders of the list. Partial, so that no row need be opened to see that it is not archived.
    {
      // With the name, so that a search need open no row it does not find.
      name: "idx_strategies_created",
      properties: ["createdAt", "id"],
      include: ["instanceName"],
      where: listed,
    },
    { name: "idx_strategies_status", properties: ["status", "createdAt", "id"], where: listed },
    { name: "idx_strategies_name", properties: ["instanceName", "id"], where: listed },
    { name: "idx_strategies_user", properties: ["user", "createdAt", "id"], where: listed },
    {
      name: "idx_strategies_definition",
      properties: ["strategyDefinition", "createdAt", "id"],
      where: listed,
    },
    {
      // Who takes part in the next tick, counted and listed without reading the table.
      name: "idx_strategies_wanted",
      properties: ["strategyDefinition", "shard", "createdAt"],
      where: "desired_status = 'running' and archived_at is null",
    },
    {
      // Who is to stop and has not yet: few, and their exits may go on from tick to tick.
      name: "idx_strategies_stopping",
      properties: ["strategyDefinition", "shard"],
      where: "stop_command_id is not null",
    },
  ],
});

export class Strategy extends StrategySchema.class {}
StrategySchema.setClass(Strategy);
