// What retention reads and removes. Every batch is one statement: killed before its commit it did not
// happen, and done twice the second finds nothing.
import type { Cutoffs } from "#domain/retention.ts";
import { instant } from "./batch.ts";
import type { Database } from "#persistence/database.ts";
import { contextBefore } from "#persistence/queries/context-before.ts";
import { flag, ms, number, text } from "#persistence/rows.ts";
import { byIndexOnly, type Sql } from "#persistence/sql.ts";

/** A template's own time, and how many strategies ever ran on it. */
export interface AgingDefinition {
  definitionId: string;
  /** Newest closed tick, ms UTC. */
  newestTick: number;
  strategies: number;
}

export interface AgingStrategy {
  strategyId: string;
  definitionId: string;
}

/** One look at a stretch of one strategy's cycles, from its oldest on. */
export interface CycleBatch {
  strategyId: string;
  /** The last cycle number judged before; 0 to begin. */
  after: number;
  cutoffs: Cutoffs;
  /** Cycles looked at. */
  limit: number;
  /** Count only. */
  dryRun: boolean;
}

export interface CycleBatchResult {
  looked: number;
  cycles: number;
  views: number;
  holdings: number;
  /** Where the next batch goes on. */
  after: number;
  /** Nothing old is left of this strategy. */
  isDone: boolean;
}

export interface TickBatch {
  definitionId: string;
  /** The last tick judged before, ms UTC. */
  after: number;
  before: number;
  limit: number;
}

export interface TickBatchResult {
  looked: number;
  ticks: number;
  agentRuns: number;
  after: number;
}

export type TableSizes = Readonly<Record<(typeof HISTORY_TABLES)[number], number>>;

export const HISTORY_TABLES = [
  "strategy_compose_cycles",
  "strategy_portfolio_views",
  "strategy_holdings",
  "ticks",
  "agent_runs",
] as const;

const definitions = `
  select d.id, ${ms("l.scheduled_for")} as newest, n.strategies
  from strategy_definitions d
  join lateral (
    select t.scheduled_for from ticks t
    where t.definition_id = d.id and t.status in ('completed', 'timed_out')
    order by t.scheduled_for desc limit 1
  ) l on true
  join lateral (
    select count(*)::int as strategies from strategies s where s.strategy_definition_id = d.id
  ) n on true
  order by d.id`;

const strategies = `
  select s.id, s.strategy_definition_id from strategies s
  where $1::uuid is null or s.id > $1::uuid
  order by s.id limit $2`;

// A cycle goes when it is old, plain, and followed by another one in the same hour or day. Plain: it
// came with a tick, decided, and wanted no order. The first cycle and the newest always stay, and the
// last of a batch is judged by the next, which sees what follows it.
const judged = `
  stretch as materialized (
    select c.cycle_index, c.compose_time,
      c.cause = 'tick' and c.status = 'completed' and c.decision is not null as is_plain
    from strategy_compose_cycles c
    where c.strategy_id = $1::uuid and c.cycle_index > $2::int
    order by c.cycle_index limit $5::int + 1
  ),
  judged as (
    select s.*, lead(s.cycle_index) over by_index as next_index,
      lead(s.compose_time) over by_index as next_time,
      case when s.compose_time < $4::timestamptz then 'day' else 'hour' end as part
    from stretch s window by_index as (order by s.cycle_index)
  ),
  victims as materialized (
    select j.cycle_index, j.next_index from judged j
    where j.is_plain and j.cycle_index > 1 and j.compose_time < $3::timestamptz
      and date_trunc(j.part, j.compose_time, 'UTC') = date_trunc(j.part, j.next_time, 'UTC')
      and not exists (
        select 1 from strategy_instructions i
        where i.strategy_id = $1::uuid and i.cycle_index = j.cycle_index)
  ),
  state as (
    select count(j.next_index)::int as looked, max(j.cycle_index) filter (
        where j.next_index is not null) as after,
      count(j.next_index) < $5::int or coalesce(max(j.compose_time) >= $3::timestamptz, true)
        as is_done
    from judged j
  )`;

// As an array, so that each is looked up in the index whatever the planner thinks of their number.
const ofVictims = `
  strategy_id = $1::uuid and cycle_index = any(array(select cycle_index from victims))`;

const countCycles = `
  with ${judged}
  select state.*,
    (select count(*)::int from victims) as cycles, (select count(*)::int from victims) as views,
    (select count(*)::int from strategy_holdings where ${ofVictims}) as holdings
  from state`;

// The cycle after a removed one first takes over what that one left (I15). One statement sees one
// state of the database: what is read for the heirs is what is removed. Foreign keys cascade to what
// is already gone.
const removeCycles = `
  with ${judged},
  heirs as (
    update strategy_compose_cycles c set context_before = ${contextBefore}, updated_at = now()
    where c.strategy_id = $1::uuid and c.context_before is null
      and c.cycle_index = any(array(
        select v.next_index from victims v where v.next_index = v.cycle_index + 1
        except select cycle_index from victims))
  ),
  holdings as (delete from strategy_holdings where ${ofVictims} returning 1),
  views as (delete from strategy_portfolio_views where ${ofVictims} returning 1),
  cycles as (delete from strategy_compose_cycles where ${ofVictims} returning 1)
  select state.*,
    (select count(*)::int from cycles) as cycles, (select count(*)::int from views) as views,
    (select count(*)::int from holdings) as holdings
  from state`;

// Looked for strategy by strategy, for the index on cycles starts with the strategy. Ticks that failed
// or timed out tell of trouble and stay.
const removeTicks = `
  with stretch as materialized (
    select t.id, t.status, t.scheduled_for from ticks t
    where t.definition_id = $1::uuid and t.scheduled_for > $2::timestamptz
      and t.scheduled_for < $3::timestamptz
    order by t.scheduled_for limit $4::int
  ),
  victims as materialized (
    select o.id from stretch o
    where o.status in ('completed', 'skipped') and not exists (
      select 1 from strategies s
      cross join lateral (
        select 1 from strategy_compose_cycles c
        where c.strategy_id = s.id and c.tick_id = o.id limit 1
      ) used
      where s.strategy_definition_id = $1::uuid)
  ),
  agent_runs as (
    delete from agent_runs where tick_id = any(array(select id from victims)) returning 1),
  ticks as (delete from ticks where id = any(array(select id from victims)) returning 1)
  select count(*)::int as looked, ${ms("max(o.scheduled_for)")} as after,
    (select count(*)::int from ticks) as ticks,
    (select count(*)::int from agent_runs) as agent_runs
  from stretch o`;

export const statements = {
  definitions,
  strategies,
  countCycles,
  removeCycles,
  removeTicks,
  countEver: "select count(*)::int as n from strategies",
  sizes: `
    select ${HISTORY_TABLES.map((table) => `pg_total_relation_size('${table}') as ${table}`).join(", ")}`,
};

/** Templates that have a closed tick to count back from. */
export async function agingDefinitions({ sql }: Database): Promise<AgingDefinition[]> {
  return (await sql.rows(definitions)).map((row) => ({
    definitionId: text(row, "id"),
    newestTick: number(row, "newest"),
    strategies: number(row, "strategies"),
  }));
}

/** The next strategies after one, archived ones too. */
export async function agingStrategies(
  { sql }: Database,
  after: string | null,
  limit: number,
): Promise<AgingStrategy[]> {
  return (await sql.rows(strategies, [after, limit])).map((row) => ({
    strategyId: text(row, "id"),
    definitionId: text(row, "strategy_definition_id"),
  }));
}

export async function countStrategiesEver({ sql }: Database): Promise<number> {
  const [row = {}] = await sql.rows(statements.countEver);
  return number(row, "n");
}

/** Thins one stretch of one strategy's history. */
export async function thinCycles(
  database: Database,
  { strategyId, after, cutoffs, limit, dryRun }: CycleBatch,
): Promise<CycleBatchResult> {
  const params = [
    strategyId,
    after,
    instant(cutoffs.hourlyBefore),
    instant(cutoffs.dailyBefore),
    limit,
  ];
  const [row = {}] = await inBatch(database, dryRun ? countCycles : removeCycles, params);
  return {
    looked: number(row, "looked"),
    cycles: number(row, "cycles"),
    views: number(row, "views"),
    holdings: number(row, "holdings"),
    after: row["after"] === null ? after : number(row, "after"),
    isDone: flag(row, "is_done"),
  };
}

/** Removes ticks that no stored cycle belongs to any more, with their agent runs. */
export async function removeUnusedTicks(
  database: Database,
  { definitionId, after, before, limit }: TickBatch,
): Promise<TickBatchResult> {
  const params = [definitionId, instant(after), instant(before), limit];
  const [row = {}] = await inBatch(database, removeTicks, params);
  return {
    looked: number(row, "looked"),
    ticks: number(row, "ticks"),
    agentRuns: number(row, "agent_runs"),
    after: row["after"] === null ? after : number(row, "after"),
  };
}

/** Bytes of each table with its indexes. */
export async function tableSizes({ sql }: Database): Promise<TableSizes> {
  const [row = {}] = await sql.rows(statements.sizes);
  const sizes = HISTORY_TABLES.map((table) => [table, number(row, table)] as const);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one entry per table of the list
  return Object.fromEntries(sizes) as TableSizes;
}

/** Makes the room of removed rows usable again where nothing else does: PGlite has no autovacuum. */
export async function reclaim({ kind, sql }: Database, table: keyof TableSizes): Promise<void> {
  if (kind === "pglite") await sql.run(`vacuum analyze ${table}`);
}

function inBatch(database: Database, statement: string, params: readonly unknown[]) {
  return database.transactional(async (sql: Sql) => {
    await sql.rows(`select ${byIndexOnly}`);
    return sql.rows(statement, params);
  });
}
