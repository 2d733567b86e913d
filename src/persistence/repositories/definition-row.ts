import type { Definition } from "#domain/definition.ts";
import type { StrategyDefinition } from "#entities/strategy-definition.entity.ts";
import { flag, json, number, oneOf, text } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";

/** The columns `definitionOf` reads, of `strategy_definitions` under the alias `d`. */
export const definitionColumns = `
  d.id, d.name, d.display_name, d.description, d.philosophy, d.decision_agent_class,
  d.business_agents, d.trade_channel, d.trade_symbols, d.rebalance_period_minutes,
  d.default_params, d.version, d.catch_up, d.is_active`;

export function definitionOf(row: Row): Definition {
  return {
    id: text(row, "id"),
    name: text(row, "name"),
    displayName: text(row, "display_name"),
    description: text(row, "description"),
    philosophy: text(row, "philosophy"),
    decisionAgent: text(row, "decision_agent_class"),
    agents: json(row, "business_agents"),
    tradeChannel: text(row, "trade_channel"),
    symbols: json(row, "trade_symbols"),
    periodMinutes: number(row, "rebalance_period_minutes"),
    defaultParams: json(row, "default_params"),
    version: number(row, "version"),
    catchUp: oneOf(row, "catch_up"),
    isActive: flag(row, "is_active"),
  };
}

export function definitionOfEntity(entity: StrategyDefinition): Definition {
  return {
    id: entity.id,
    name: entity.name,
    displayName: entity.displayName,
    description: entity.description,
    philosophy: entity.philosophy,
    decisionAgent: entity.decisionAgentClass,
    agents: entity.businessAgents,
    tradeChannel: entity.tradeChannel,
    symbols: entity.tradeSymbols,
    periodMinutes: entity.rebalancePeriodMinutes,
    defaultParams: entity.defaultParams,
    version: entity.version,
    catchUp: entity.catchUp,
    isActive: entity.isActive,
  };
}

export function columnsOf(definition: Definition) {
  return {
    id: definition.id,
    name: definition.name,
    displayName: definition.displayName,
    description: definition.description,
    philosophy: definition.philosophy,
    decisionAgentModule: definition.decisionAgent,
    decisionAgentClass: definition.decisionAgent,
    businessAgents: definition.agents,
    tradeChannel: definition.tradeChannel,
    tradeSymbols: definition.symbols,
    rebalancePeriodMinutes: definition.periodMinutes,
    defaultParams: definition.defaultParams,
    version: definition.version,
    catchUp: definition.catchUp,
    isActive: definition.isActive,
  };
}
