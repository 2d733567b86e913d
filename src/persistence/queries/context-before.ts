import type { ContextBefore } from "#domain/cycle.ts";
import type { Database } from "#persistence/database.ts";
import { json, ms, plain } from "#persistence/rows.ts";

const positions = `
  select coalesce(jsonb_agg(jsonb_build_object(
    'symbol', h.symbol, 'quantity', ${plain("h.quantity")}, 'cost', ${plain("h.cost")},
    'leverage', h.leverage, 'entryAt', ${ms("h.entry_time")},
    'markPrice', ${plain("h.mark_price")}) order by h.symbol), '[]')
  from strategy_holdings h
  where h.strategy_id = v.strategy_id and h.cycle_index = v.cycle_index`;

const portfolio = `
  select jsonb_build_object(
    'at', ${ms("v.snapshot_ts")}, 'cash', ${plain("v.cash")},
    'realizedPnl', ${plain("v.total_realized_pnl")}, 'positions', (${positions}))
  from strategy_portfolio_views v
  where v.strategy_id = c.strategy_id and v.cycle_index = c.cycle_index - 1`;

// A cycle without a decision leaves those in force that it found, one without a tick the tick before.
const newestBefore = (what: string, where: string): string => `
  select ${what} from strategy_compose_cycles p left join ticks t on t.id = p.tick_id
  where p.strategy_id = c.strategy_id and p.cycle_index < c.cycle_index
    and (${where} or p.context_before is not null)
  order by p.cycle_index desc limit 1`;

const protections = newestBefore(
  `case when p.decision is null then p.context_before -> 'protections'
     else p.decision -> 'protections' end`,
  "p.decision is not null",
);

const lastTickFor = newestBefore(
  `case when p.tick_id is null then p.context_before -> 'lastTickFor'
     else to_jsonb(${ms("t.scheduled_for")}) end`,
  "p.tick_id is not null",
);

/**
 * SQL for what the cycle under the alias `c` found, as jsonb: read from the cycles before it, and the
 * same whether it is asked for now or was written down because they are removed.
 */
export const contextBefore = `
  coalesce(c.context_before, jsonb_build_object(
    'portfolio', (${portfolio}),
    'protections', coalesce((${protections}), '[]'),
    'lastTickFor', (${lastTickFor})))`;

export const statements = {
  contextBefore: `
    select ${contextBefore} as context from strategy_compose_cycles c
    where c.strategy_id = $1 and c.cycle_index = $2`,
};

/** What a stored cycle found when it began; all of it in one look, whatever is removed meanwhile. */
export async function contextBeforeOf(
  { sql }: Database,
  strategyId: string,
  cycleIndex: number,
): Promise<ContextBefore> {
  const [row = {}] = await sql.rows(statements.contextBefore, [strategyId, cycleIndex]);
  return json(row, "context");
}
