import { UnderscoreNamingStrategy } from "@mikro-orm/core";

// The history tables are keyed by exactly what must be unique in them, so their primary keys carry
// the names those constraints are known by: one index does both.
const primaryKeys: Readonly<Record<string, string>> = {
  strategy_instructions: "uq_strategy_instruction_id",
  strategy_details: "uq_strategy_trade_id",
  strategy_portfolio_views: "uq_strategy_portfolio_snapshot",
  strategy_holdings: "uq_strategy_holding_snapshot",
};

type IndexKind = Parameters<UnderscoreNamingStrategy["indexName"]>[2];

export class NamingStrategy extends UnderscoreNamingStrategy {
  override indexName(tableName: string, columns: string[], type: IndexKind): string {
    const primary = type === "primary" ? primaryKeys[tableName] : undefined;
    return primary ?? super.indexName(tableName, columns, type);
  }
}
