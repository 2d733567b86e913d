// The engine's invariants as questions to a database: each query finds what must not exist.

/** Reads the database the test is about. */
export type Query = (
  statement: string,
  params?: readonly unknown[],
) => Promise<Record<string, unknown>[]>;

const newestCycles = `
  select distinct on (strategy_id) * from strategy_compose_cycles
  order by strategy_id, cycle_index desc`;

const ledgers =
  "select strategy_id, snapshot::jsonb #> '{context,ledger}' as ledger from actor_snapshots";

const VIOLATIONS: Readonly<Record<string, string>> = {
  "I1: a cycle without its view, or a view without its cycle": `
    select strategy_id, cycle_index from strategy_compose_cycles c
    full join strategy_portfolio_views v using (strategy_id, cycle_index)
    where c.compose_id is null or v.cash is null`,
  "I1: an instruction of no cycle": `
    select i.instruction_id from strategy_instructions i
    left join strategy_compose_cycles c using (strategy_id, cycle_index)
    where c.compose_id is distinct from i.compose_id`,
  "I1: an instruction whose trade details do not add up to what it filled": `
    select i.instruction_id, i.filled_quantity, d.quantity from strategy_instructions i
    left join (
      select instruction_id, sum(quantity) as quantity from strategy_details group by 1
    ) d using (instruction_id)
    where i.filled_quantity <> coalesce(d.quantity, 0)`,
  // Of its own cycle; of a live order, also of a later one in which the venue told of the fill.
  "I1: a trade detail of no instruction": `
    select d.trade_id from strategy_details d
    left join strategy_instructions i using (strategy_id, instruction_id)
    left join strategy_compose_cycles c
      on c.strategy_id = d.strategy_id and c.cycle_index = d.cycle_index
    where i.cycle_index is null or d.cycle_index < i.cycle_index
      or (d.cycle_index > i.cycle_index and c.cause <> 'order')`,
  "I1: a view whose exposure is not that of its holdings": `
    select v.strategy_id, v.cycle_index from strategy_portfolio_views v
    left join strategy_holdings h using (strategy_id, cycle_index)
    group by v.strategy_id, v.cycle_index, v.gross_exposure
    having v.gross_exposure <> coalesce(sum(h.notional), 0)`,
  "I1: strategy totals that are not those of the newest cycle": `
    select s.id, s.cycle_index, v.cycle_index as newest from strategies s
    join (${newestCycles}) c on c.strategy_id = s.id
    join strategy_portfolio_views v on v.strategy_id = s.id and v.cycle_index = c.cycle_index
    where (s.cycle_index, s.total_value, s.current_balance, s.realized_pnl, s.unrealized_pnl)
      is distinct from (
        c.cycle_index, v.total_value, v.cash, v.total_realized_pnl, v.total_unrealized_pnl)
      or s.last_execution_time is distinct from c.compose_time
      or s.total_pnl <> s.total_value - s.initial_balance`,
  "I1: totals of a strategy that has no cycle": `
    select s.id from strategies s
    where s.cycle_index <> (
      select count(*) from strategy_compose_cycles c where c.strategy_id = s.id)`,
  "I1: a snapshot that is not that of the newest cycle": `
    select a.strategy_id, a.seq from actor_snapshots a
    join strategies s on s.id = a.strategy_id
    left join (${newestCycles}) c on c.strategy_id = s.id
    left join strategy_portfolio_views v on v.strategy_id = s.id and v.cycle_index = c.cycle_index
    cross join lateral (select a.snapshot::jsonb -> 'context' as stored) j
    where (stored ->> 'cycleIndex')::int <> coalesce(c.cycle_index, 0)
      or a.seq < coalesce(c.cycle_index, 0)
      or (stored #>> '{ledger,cash}')::numeric <> coalesce(v.cash, s.initial_balance)
      or (stored #>> '{ledger,realizedPnl}')::numeric <> coalesce(v.total_realized_pnl, 0)`,
  "I1: a snapshot that holds other positions than the newest view": `
    select strategy_id, symbol, p.value as snapshot, h.quantity as view from (
      select a.strategy_id, p.key as symbol, p.value from actor_snapshots a
      cross join lateral jsonb_each(a.snapshot::jsonb #> '{context,ledger,positions}') p
    ) p
    full join (
      select h.strategy_id, h.symbol, h.quantity, h.cost from strategy_holdings h
      join strategies s on s.id = h.strategy_id and s.cycle_index = h.cycle_index
    ) h using (strategy_id, symbol)
    where ((p.value ->> 'quantity')::numeric, (p.value ->> 'cost')::numeric)
      is distinct from (h.quantity, h.cost)`,
  "I1: money that is not what the trade details left": `
    select s.id, s.current_balance, s.realized_pnl from strategies s
    join (${ledgers}) l on l.strategy_id = s.id
    left join lateral (
      select
        sum(case when d.side = 'BUY' then -1 else 1 end
          * coalesce(d.notional_exit, d.notional_entry)) as traded,
        sum(case when d.type = 'LONG' then 1 else -1 end
          * (d.notional_exit - d.notional_entry)) as gross,
        sum(d.fee_cost) as fees
      from strategy_details d where d.strategy_id = s.id
    ) d on true
    where s.realized_pnl
        <> coalesce(d.gross, 0) - coalesce(d.fees, 0) + (l.ledger ->> 'fundingNet')::numeric
      or s.current_balance <> s.initial_balance + case l.ledger ->> 'marketType'
        when 'spot' then coalesce(d.traded, 0) - coalesce(d.fees, 0) else s.realized_pnl end`,
  "I2: two cycles of one strategy for one tick": `
    select strategy_id, tick_id from strategy_compose_cycles
    where tick_id is not null group by 1, 2 having count(*) > 1`,
  "I2: cycle numbers with a gap": `
    select strategy_id from strategy_compose_cycles group by 1
    having min(cycle_index) <> 1 or max(cycle_index) <> count(*)`,
  "I7: a strategy that was written more often than its shard": `
    select s.id, a.seq, sh.version from strategies s
    join actor_snapshots a on a.strategy_id = s.id
    join shards sh on sh.id = s.shard_id
    where a.seq > sh.version`,
  "I8: counters that are not those of the snapshot": `
    select s.id from strategies s join (${ledgers}) l on l.strategy_id = s.id
    where (s.total_trades, s.winning_trades, s.losing_trades, s.max_drawdown, s.peak_value)
      is distinct from (
        (l.ledger ->> 'totalTrades')::int, (l.ledger ->> 'winningTrades')::int,
        (l.ledger ->> 'losingTrades')::int, (l.ledger ->> 'maxDrawdown')::numeric,
        (l.ledger ->> 'peakEquity')::numeric)`,
  "I8: a position entered at another time, leverage or mark than its snapshot says": `
    select h.strategy_id, h.symbol from strategy_holdings h
    join strategies s on s.id = h.strategy_id and s.cycle_index = h.cycle_index
    join (${ledgers}) l on l.strategy_id = h.strategy_id
    cross join lateral (select l.ledger #> array['positions', h.symbol] as held) p
    where (h.leverage, h.mark_price, extract(epoch from h.entry_time) * 1000)
      is distinct from (
        (held ->> 'leverage')::float8, (held ->> 'markPrice')::numeric,
        (held ->> 'entryAt')::numeric)`,
  "I10: equity that is not initial + realized + unrealized": `
    select v.strategy_id, v.cycle_index from strategy_portfolio_views v
    join strategies s on s.id = v.strategy_id
    where v.total_value <> s.initial_balance + v.total_realized_pnl + v.total_unrealized_pnl`,
  // Spot: what is not in cash is in holdings, at cost. Perpetual: the wallet moves by results only.
  "I10: cash that is not initial + realized, less what holdings cost on spot": `
    select v.strategy_id, v.cycle_index, v.cash from strategy_portfolio_views v
    join strategies s on s.id = v.strategy_id
    join (${ledgers}) l on l.strategy_id = v.strategy_id
    left join lateral (
      select sum(h.cost) as cost, sum(h.unrealized_pnl) as unrealized from strategy_holdings h
      where h.strategy_id = v.strategy_id and h.cycle_index = v.cycle_index
    ) h on true
    where v.total_unrealized_pnl <> coalesce(h.unrealized, 0)
      or v.cash <> s.initial_balance + v.total_realized_pnl
        - case l.ledger ->> 'marketType' when 'spot' then coalesce(h.cost, 0) else 0 end`,
  "a closed tick that counts other cycles than there are": `
    select t.id, t.cycles, t.failures, c.cycles as stored from ticks t
    cross join lateral (
      select count(*) as cycles, count(*) filter (where c.status = 'failed') as failures
      from strategy_compose_cycles c where c.tick_id = t.id
    ) c
    where t.status in ('completed', 'timed_out')
      and (t.cycles <> c.cycles or t.failures < c.failures)`,
  "I15: a cycle that knows nothing of the one before it": `
    select c.strategy_id, c.cycle_index from strategy_compose_cycles c
    left join strategy_compose_cycles p
      on p.strategy_id = c.strategy_id and p.cycle_index = c.cycle_index - 1
    where c.cycle_index > 1 and c.context_before is null and p.compose_id is null`,
  "a completed tick with shards that did not settle": `
    select id from ticks where status = 'completed' and shards_settled <> shards_total`,
};

/** Hold while every cycle is still stored: retention removes some. */
const WITHOUT_RETENTION: ReadonlySet<string> = new Set([
  "I1: totals of a strategy that has no cycle",
  "I2: cycle numbers with a gap",
  "a closed tick that counts other cycles than there are",
]);

/** What breaks an invariant, one line each; empty when all hold. */
export async function violations(
  query: Query,
  { isThinned = false }: { isThinned?: boolean } = {},
): Promise<string[]> {
  const found: string[] = [];
  for (const [rule, statement] of Object.entries(VIOLATIONS)) {
    if (isThinned && WITHOUT_RETENTION.has(rule)) continue;
    const rows = await query(statement);
    for (const row of rows) found.push(`${rule}: ${JSON.stringify(row)}`);
  }
  return found;
}

/** What the database holds of a strategy, outside its history. */
export interface CommittedActor {
  id: string;
  seq: number;
  cycleIndex: number;
  value: string;
  context: unknown;
  equity: string;
  cash: string;
}

export async function committedActors(query: Query): Promise<CommittedActor[]> {
  const rows = await query(
    `select s.id, a.seq::int as seq, s.cycle_index, a.value, a.snapshot,
       s.total_value::text as equity, s.current_balance::text as cash
     from strategies s join actor_snapshots a on a.strategy_id = s.id order by s.id`,
  );
  return rows.map((row) => ({
    id: String(row["id"]),
    seq: Number(row["seq"]),
    cycleIndex: Number(row["cycle_index"]),
    value: String(row["value"]),
    context: contextOf(String(row["snapshot"])),
    equity: plain(row["equity"]),
    cash: plain(row["cash"]),
  }));
}

/** A decimal without trailing zeros: storage pads to 18 places. */
export function plain(decimal: unknown): string {
  const text = String(decimal);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Left out of comparisons: random, or measured on this run's clock. */
const UNCOMPARED = [
  "created_at",
  "updated_at",
  "duration_ms",
  "analysis_ms",
  "deadline",
  "closed_at",
  "last_seen_at",
];

const HISTORY_TABLES = [
  "strategy_definitions",
  "definition_versions",
  "strategies",
  "strategy_param_versions",
  "shards",
  "actor_snapshots",
  "ticks",
  "agent_runs",
  "strategy_compose_cycles",
  "strategy_instructions",
  "strategy_details",
  "strategy_portfolio_views",
  "strategy_holdings",
  "alerts",
] as const;

export type History = Record<string, string[]>;

/** Every row of every history table as text, in an order of its own content. */
export async function historyOf(query: Query, without: readonly string[] = []): Promise<History> {
  const history: History = {};
  for (const table of HISTORY_TABLES) {
    const rows = await query(
      `select (to_jsonb(t) - $1::text[])::text as row from ${table} t order by 1`,
      [[...UNCOMPARED, ...without]],
    );
    history[table] = rows.map(({ row }) => String(row));
  }
  return history;
}

/** Rows that only one of two histories has, or has more often. */
export function differences(expected: History, actual: History): string[] {
  return Object.keys(expected).flatMap((table) => [
    ...surplus(expected[table], actual[table]).map((row) => `missing in ${table}: ${row}`),
    ...surplus(actual[table], expected[table]).map((row) => `only now in ${table}: ${row}`),
  ]);
}

function surplus(rows: readonly string[] = [], others: readonly string[] = []): string[] {
  const left = new Map<string, number>();
  for (const row of others) left.set(row, (left.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const times = left.get(row) ?? 0;
    left.set(row, times - 1);
    return times <= 0;
  });
}

function contextOf(snapshot: string): unknown {
  const { context }: { context: unknown } = JSON.parse(snapshot);
  return context;
}
