import type { DecimalString } from "#domain/decimal.ts";
import { NotFoundError } from "#domain/errors.ts";
import type { Holding, PortfolioView } from "#domain/portfolio.ts";
import type { Database } from "#persistence/database.ts";
import { ms, number, oneOf, plain, text, textOrNull } from "#persistence/rows.ts";
import type { Row, Sql } from "#persistence/sql.ts";

export interface StoredView extends PortfolioView {
  cycleIndex: number;
}

/** Money in quote currency; times ms UTC. */
export interface PortfolioSummary {
  strategyId: string;
  /** Null before the first cycle. */
  at: number | null;
  initialBalance: DecimalString;
  cash: DecimalString;
  totalValue: DecimalString;
  totalPnl: DecimalString;
  /** totalPnl ÷ initialBalance */
  returnFraction: DecimalString;
  realizedPnl: DecimalString;
  unrealizedPnl: DecimalString;
  grossExposure: DecimalString;
  netExposure: DecimalString;
  buyingPower: DecimalString;
}

export interface EquityCurvePoint {
  at: number;
  cycleIndex: number;
  totalValue: DecimalString;
  cash: DecimalString;
  grossExposure: DecimalString;
}

const viewColumns = `
  v.cycle_index, ${ms("v.snapshot_ts")} as at, ${plain("v.cash")} as cash,
  ${plain("v.total_value")} as total_value, ${plain("v.total_realized_pnl")} as realized_pnl,
  ${plain("v.total_unrealized_pnl")} as unrealized_pnl,
  ${plain("v.gross_exposure")} as gross_exposure, ${plain("v.net_exposure")} as net_exposure,
  ${plain("v.buying_power")} as buying_power`;

const holdings = `
  select h.symbol, h.type, ${plain("h.quantity")} as quantity, h.leverage,
    ${plain("h.entry_price")} as entry_price, ${plain("h.cost")} as cost,
    ${plain("h.mark_price")} as mark_price, h.mark_quality, ${plain("h.notional")} as notional,
    ${plain("h.unrealized_pnl")} as unrealized_pnl,
    ${plain("h.unrealized_pnl_pct")} as unrealized_pnl_pct, ${ms("h.entry_time")} as entry_at,
    ${plain("h.liquidation_price")} as liquidation_price
  from strategy_holdings h where h.strategy_id = $1 and h.cycle_index = $2 order by h.symbol`;

export const statements = {
  holdings,
  view: `
    select ${viewColumns} from strategy_portfolio_views v
    where v.strategy_id = $1 and v.cycle_index <= coalesce($2::int, 2147483647)
    order by v.cycle_index desc limit 1`,
  summary: `
    select ${ms("v.snapshot_ts")} as at, ${plain("s.initial_balance")} as initial_balance,
      ${plain("s.current_balance")} as cash, ${plain("s.total_value")} as total_value,
      ${plain("s.total_pnl")} as total_pnl,
      ${plain("round(s.total_pnl / s.initial_balance, 18)")} as return_fraction,
      ${plain("s.realized_pnl")} as realized_pnl, ${plain("s.unrealized_pnl")} as unrealized_pnl,
      ${plain("coalesce(v.gross_exposure, 0)")} as gross_exposure,
      ${plain("coalesce(v.net_exposure, 0)")} as net_exposure,
      ${plain("coalesce(v.buying_power, s.current_balance)")} as buying_power
    from strategies s left join strategy_portfolio_views v
      on v.strategy_id = s.id and v.cycle_index = s.cycle_index
    where s.id = $1`,
  curves: `
    with numbered as (
      select v.*, case when $2::int is null then v.cycle_index
        else ntile($2::int) over (partition by v.strategy_id order by v.cycle_index) end as bucket
      from strategy_portfolio_views v where v.strategy_id = any($1::uuid[])
    )
    select distinct on (v.strategy_id, v.bucket) v.strategy_id, v.cycle_index,
      ${ms("v.snapshot_ts")} as at, ${plain("v.total_value")} as total_value,
      ${plain("v.cash")} as cash, ${plain("v.gross_exposure")} as gross_exposure
    from numbered v order by v.strategy_id, v.bucket, v.cycle_index desc`,
};

/**
 * The portfolio as of the newest cycle, or of the one asked for; null before the first. What a view
 * holds is what hangs on that view: nothing of an older one shines through.
 */
export async function getView(
  { sql }: Database,
  strategyId: string,
  cycleIndex?: number,
): Promise<StoredView | null> {
  const [row] = await sql.rows(statements.view, [strategyId, cycleIndex ?? null]);
  return row === undefined ? null : withHoldings(sql, strategyId, row);
}

/** @throws NotFoundError STRATEGY_NOT_FOUND */
export async function portfolioSummary(
  { sql }: Database,
  strategyId: string,
): Promise<PortfolioSummary> {
  const [row] = await sql.rows(statements.summary, [strategyId]);
  if (row === undefined) {
    throw new NotFoundError("STRATEGY_NOT_FOUND", `no strategy ${strategyId}`);
  }
  return {
    strategyId,
    at: row["at"] === null ? null : number(row, "at"),
    initialBalance: text(row, "initial_balance"),
    cash: text(row, "cash"),
    totalValue: text(row, "total_value"),
    totalPnl: text(row, "total_pnl"),
    returnFraction: text(row, "return_fraction"),
    realizedPnl: text(row, "realized_pnl"),
    unrealizedPnl: text(row, "unrealized_pnl"),
    grossExposure: text(row, "gross_exposure"),
    netExposure: text(row, "net_exposure"),
    buyingPower: text(row, "buying_power"),
  };
}

/**
 * The equity curves of some strategies, oldest point first, by strategy. With `buckets`, each has at
 * most that many points, the last of equal parts of its history: the newest is always one of them.
 */
export async function equityCurves(
  { sql }: Database,
  strategyIds: readonly string[],
  { buckets }: { buckets?: number } = {},
): Promise<Map<string, EquityCurvePoint[]>> {
  const rows = await sql.rows(statements.curves, [strategyIds, buckets ?? null]);
  const curves = new Map(strategyIds.map((id): [string, EquityCurvePoint[]] => [id, []]));
  for (const row of rows) {
    curves.get(text(row, "strategy_id"))?.push({
      at: number(row, "at"),
      cycleIndex: number(row, "cycle_index"),
      totalValue: text(row, "total_value"),
      cash: text(row, "cash"),
      grossExposure: text(row, "gross_exposure"),
    });
  }
  return curves;
}

/** As `equityCurves`, of one. */
export async function equityCurve(
  database: Database,
  strategyId: string,
  options: { buckets?: number } = {},
): Promise<EquityCurvePoint[]> {
  return (await equityCurves(database, [strategyId], options)).get(strategyId) ?? [];
}

async function withHoldings(sql: Sql, strategyId: string, row: Row): Promise<StoredView> {
  const cycleIndex = number(row, "cycle_index");
  const held = await sql.rows(statements.holdings, [strategyId, cycleIndex]);
  return {
    cycleIndex,
    at: number(row, "at"),
    cash: text(row, "cash"),
    totalValue: text(row, "total_value"),
    realizedPnl: text(row, "realized_pnl"),
    unrealizedPnl: text(row, "unrealized_pnl"),
    grossExposure: text(row, "gross_exposure"),
    netExposure: text(row, "net_exposure"),
    buyingPower: text(row, "buying_power"),
    holdings: held.map(holdingOf),
  };
}

function holdingOf(row: Row): Holding {
  return {
    symbol: text(row, "symbol"),
    type: oneOf(row, "type"),
    quantity: text(row, "quantity"),
    leverage: number(row, "leverage"),
    entryPrice: text(row, "entry_price"),
    cost: text(row, "cost"),
    markPrice: text(row, "mark_price"),
    markQuality: oneOf(row, "mark_quality"),
    notional: text(row, "notional"),
    unrealizedPnl: text(row, "unrealized_pnl"),
    unrealizedPnlPct: text(row, "unrealized_pnl_pct"),
    entryAt: number(row, "entry_at"),
    liquidationPrice: textOrNull(row, "liquidation_price"),
  };
}
