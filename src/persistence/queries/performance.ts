import type { EquityPoint } from "#domain/equity-curve.ts";
import { type Performance, performanceOf } from "#domain/performance.ts";
import type { Database } from "#persistence/database.ts";
import { ms, number, plain, text, textOrNull } from "#persistence/rows.ts";
import { getStrategy, type StrategyRecord } from "./strategy-record.ts";

export interface StrategyPerformance {
  strategy: StrategyRecord;
  /** From the initial balance on. */
  performance: Performance;
  /** Recorded views it is computed from. */
  points: number;
  /** First and last of them, ms UTC; null before the first cycle. */
  from: number | null;
  to: number | null;
}

export const statements = {
  views: `
    select ${ms("snapshot_ts")} as at, ${plain("total_value")} as equity,
      ${plain("gross_exposure")} as gross_exposure
    from strategy_portfolio_views where strategy_id = $1 order by cycle_index`,
  legs: `
    select symbol, kind, ${plain("quantity")} as quantity, ${plain("realized_pnl")} as realized_pnl
    from strategy_details where strategy_id = $1 order by cycle_index, position`,
};

/** Performance over a strategy's whole history. @throws NotFoundError STRATEGY_NOT_FOUND */
export async function strategyPerformance(
  database: Database,
  strategyId: string,
): Promise<StrategyPerformance> {
  const strategy = await getStrategy(database, strategyId);
  const views = await database.sql.rows(statements.views, [strategyId]);
  const booked = await database.sql.rows(statements.legs, [strategyId]);
  const points = views.map((row) => ({
    at: number(row, "at"),
    equity: text(row, "equity"),
    grossExposure: text(row, "gross_exposure"),
  }));
  const legs = booked.map((row) => ({
    symbol: text(row, "symbol"),
    kind: text(row, "kind") === "open" ? ("open" as const) : ("close" as const),
    quantity: text(row, "quantity"),
    realizedPnl: textOrNull(row, "realized_pnl"),
  }));
  const from = points[0]?.at ?? null;
  return {
    strategy,
    performance: performanceOf(withStart(strategy.initialBalance, points), legs),
    points: points.length,
    from,
    to: points.at(-1)?.at ?? null,
  };
}

/** The first view already shows what the first cycle did to the money: it started with this. */
function withStart(equity: string, points: readonly EquityPoint[]): EquityPoint[] {
  const [first] = points;
  return first === undefined ? [] : [{ at: first.at, equity, grossExposure: "0" }, ...points];
}
