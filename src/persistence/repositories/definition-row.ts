import type { Definition } from "#domain/definition.ts";
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
