import type { EngineStore } from "#ports/store.ts";
import type { Database } from "#persistence/database.ts";
import { ms, number, numberOrNull, oneOf, oneOfOrNull, plain, text } from "#persistence/rows.ts";

const figures = `
  select s.id, s.strategy_definition_id, s.shard_id, s.state, s.stop_reason, a.seq, s.cycle_index,
    ${ms("s.last_execution_time")} as last_execution_time, ${plain("s.total_value")} as total_value,
    ${plain("s.current_balance")} as cash, ${plain("s.realized_pnl")} as realized_pnl,
    ${plain("s.unrealized_pnl")} as unrealized_pnl
  from strategies s join actor_snapshots a on a.strategy_id = s.id
  where s.shard_id = any($1::uuid[]) and s.archived_at is null`;

export const statements = { figures };

/** What is publicly known of strategies, as their newest commits left it. */
export function createFiguresStore({ sql }: Database): Pick<EngineStore, "figures"> {
  return {
    async figures(shardIds) {
      const rows = await sql.rows(figures, [shardIds]);
      return rows.map((row) => ({
        strategyId: text(row, "id"),
        definitionId: text(row, "strategy_definition_id"),
        shardId: text(row, "shard_id"),
        state: oneOf(row, "state"),
        stopReason: oneOfOrNull(row, "stop_reason"),
        seq: number(row, "seq"),
        cycleIndex: number(row, "cycle_index"),
        lastCycleAt: numberOrNull(row, "last_execution_time"),
        totalValue: text(row, "total_value"),
        cash: text(row, "cash"),
        realizedPnl: text(row, "realized_pnl"),
        unrealizedPnl: text(row, "unrealized_pnl"),
      }));
    },
  };
}
