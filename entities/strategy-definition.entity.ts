import type { AgentUse } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { instant, timestamps } from "./columns.ts";

export const catchUpPolicies = ["one", "skip"] as const;

/** A strategy template. Its id derives from its name. */
const StrategyDefinitionSchema = defineEntity({
  name: "StrategyDefinition",
  tableName: "strategy_definitions",
  properties: {
    id: p.uuid().primary(),
    name: p.text().unique("uq_strategy_definition_name"),
    displayName: p.text(),
    description: p.text(),
    philosophy: p.text(),
    // Names registered in code, the class being the agent's own name; nothing is imported from here.
    decisionAgentModule: p.text(),
    decisionAgentClass: p.text(),
    businessAgents: p.json<AgentUse[]>(),
    tradeChannel: p.text(),
    tradeSymbols: p.json<string[]>(),
    rebalancePeriodMinutes: p.integer().check("rebalance_period_minutes > 0"),
    defaultParams: p.json<JsonObject>(),
    version: p.integer().default(1),
    catchUp: p.enum(catchUpPolicies).default("one"),
    isActive: p.boolean().default(true),
    // By an admin: no tick is proposed until it is resumed.
    pausedAt: instant().nullable(),
    ...timestamps(),
  },
});

export class StrategyDefinition extends StrategyDefinitionSchema.class {}
StrategyDefinitionSchema.setClass(StrategyDefinition);
