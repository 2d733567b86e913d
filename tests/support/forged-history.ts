import type { Database } from "#persistence/database.ts";

/** Stores plain cycles, each with its view and one holding, for strategies that have none. */
export async function forgeCycles(
  { sql }: Database,
  { strategyIds, times }: { strategyIds: readonly string[]; times: readonly number[] },
): Promise<void> {
  const params = [strategyIds, times.map((at) => new Date(at).toISOString())];
  const each = `
    from unnest($1::uuid[]) as s(id),
      unnest($2::timestamptz[]) with ordinality as t(at, n)`;
  await sql.run(
    `insert into strategy_compose_cycles (strategy_id, cycle_index, compose_id, cause, compose_time,
       status, rationale, decision, params_version, definition_version, duration_ms)
     select s.id, t.n, gen_random_uuid(), 'tick', t.at, 'completed', 'nothing to do',
       '{"signal": "HOLD", "items": [], "warnings": [], "details": {}, "protections": []}', 1, 1, 1
     ${each}`,
    params,
  );
  await sql.run(
    `insert into strategy_portfolio_views (strategy_id, cycle_index, snapshot_ts, cash, total_value,
       total_realized_pnl, total_unrealized_pnl, gross_exposure, net_exposure, buying_power)
     select s.id, t.n, t.at, 9900, 10000, 0, 0, 100, 100, 9900 ${each}`,
    params,
  );
  await sql.run(
    `insert into strategy_holdings (strategy_id, cycle_index, symbol, type, quantity, leverage,
       entry_price, cost, mark_price, mark_quality, notional, unrealized_pnl, unrealized_pnl_pct,
       entry_time)
     select s.id, t.n, 'BTC/USDT', 'LONG', 1, 1, 100, 100, 100, 'fresh', 100, 0, 0, t.at ${each}`,
    params,
  );
}

/** So many instants, ten minutes apart. */
export function everyTenMinutes(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index * 600_000);
}

/** A tick that ended as it should: what is old is counted back from the newest one. */
export async function forgeTick(
  { sql }: Database,
  { definitionId, at }: { definitionId: string; at: number },
): Promise<void> {
  await sql.run(
    `insert into ticks (id, definition_id, scheduled_for, status, closed_at)
     values (gen_random_uuid(), $1, $2, 'completed', now())`,
    [definitionId, new Date(at).toISOString()],
  );
}
