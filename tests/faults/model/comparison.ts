// What is stored, in the model's words, and whether both say the same.
import { expect } from "vitest";
import { plain, violations } from "#support/invariants.ts";
import type { ModelStrategy, OpenTick, WorldModel } from "./world-model.ts";
import { MARKETS } from "./world-model.ts";
import { averageOf, type Market } from "./money-model.ts";
import type { World } from "./world.ts";

const PATIENCE_MS = 20_000;
/** What a frozen engine had locked is free when the server ends its transaction, after 30 seconds. */
const PATIENCE_WITH_THE_FROZEN_MS = 60_000;

const strategies = `
  select s.id, s.state, s.status, s.desired_status, s.stop_reason, s.cycle_index, s.params_version,
    s.current_balance, s.realized_pnl, s.unrealized_pnl, s.total_value, s.total_trades,
    a.value as actor, a.snapshot::jsonb #>> '{context,ledger,cash}' as actor_cash,
    (select coalesce(jsonb_object_agg(h.symbol, jsonb_build_object(
       'quantity', h.quantity::text, 'cost', h.cost::text,
       'price', h.entry_price::text)), '{}')
     from strategy_holdings h where h.strategy_id = s.id and h.cycle_index = s.cycle_index) as held,
    (select coalesce(jsonb_agg(jsonb_build_object(
       'cause', c.cause, 'status', c.status, 'paramsVersion', c.params_version,
       'tickAt', (extract(epoch from t.scheduled_for) * 1000)::bigint,
       'cash', v.cash::text, 'totalValue', v.total_value::text) order by c.cycle_index), '[]')
     from strategy_compose_cycles c
     join strategy_portfolio_views v using (strategy_id, cycle_index)
     left join ticks t on t.id = c.tick_id where c.strategy_id = s.id) as cycles
  from strategies s join actor_snapshots a on a.strategy_id = s.id`;

type Told = Record<string, unknown>;

/** Waits until the database says what the model says, and no invariant is broken. */
export async function expectAgreement(world: World, model: WorldModel): Promise<void> {
  const patience = performance.now() + patienceFor(model);
  for (;;) {
    await world.letRetriesCome();
    const agrees = await isAgreed(world, model);
    if (agrees || performance.now() > patience) break;
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
  expect(await stored(world)).toEqual(told(model));
  expect(await violations((...query) => world.rows(...query))).toEqual([]);
  // Nothing here is worth one; a late commit that only a second line of defence kept out would be.
  expect(await world.rows("select kind, message, detail from alerts")).toEqual([]);
}

function patienceFor({ active, frozen }: WorldModel): number {
  if (active.length === 0) return 0;
  return frozen.length === 0 ? PATIENCE_MS : PATIENCE_WITH_THE_FROZEN_MS;
}

export async function isAgreed(world: World, model: WorldModel): Promise<boolean> {
  const open = await world.rows("select 1 from ticks where status in ('pending', 'running')");
  if (model.active.length > 0 && open.length > 0) return false;
  return JSON.stringify(sorted(await stored(world))) === JSON.stringify(sorted(told(model)));
}

/**
 * With nobody left to finish what was begun, either all of a step is stored or nothing: the model takes
 * whichever it finds, and everything else must agree at once.
 */
export async function adopt(world: World, model: WorldModel): Promise<void> {
  // Waits for what the dead engine's last transaction comes to.
  for (const table of ["shards", "ticks"]) {
    await world.store.database.transactional(async (sql) => {
      await sql.run(`lock table ${table} in share mode`);
    });
  }
  const found = new Map((await world.rows(strategies)).map((row) => [String(row["id"]), row]));
  const open = await openTicks(world);
  for (const market of MARKETS) {
    const { now } = model.state;
    const [row] = await world.rows(
      `select 1 from ticks t join strategy_definitions d on d.id = t.definition_id
       where d.name = $1 and t.scheduled_for = $2::timestamptz`,
      [market, new Date(now).toISOString()],
    );
    if (row !== undefined) model.state.markets[market].lastTickAt = now;
    model.state.markets[market].open = open[market];
  }
  for (const strategy of model.state.strategies) {
    const row = found.get(strategy.id);
    if (row?.["state"] !== strategy.state) model.reconcile(strategy);
    const isTicked = model.state.markets[strategy.market].lastTickAt === model.state.now;
    if (isTicked && Number(row?.["cycle_index"]) > strategy.cycles.length) {
      model.tick(strategy, model.state.now);
    }
  }
}

async function openTicks(world: World): Promise<Record<Market, OpenTick>> {
  const rows = await world.rows(
    `select d.name, t.status, (extract(epoch from t.scheduled_for) * 1000)::float8 as at,
       (select coalesce(jsonb_agg(sh.id), '[]') from shards sh
        where sh.fanned_tick_id = t.id and sh.settled_tick_id is distinct from t.id) as shards
     from ticks t join strategy_definitions d on d.id = t.definition_id
     where t.status in ('pending', 'running')`,
  );
  const of = (market: Market): OpenTick => {
    const row = rows.find(({ name }) => name === market);
    if (row === undefined) return null;
    const shards = row["status"] === "pending" ? null : parsed<string[]>(row["shards"]);
    return { at: Number(row["at"]), shards };
  };
  return { spot: of("spot"), perpetual: of("perpetual") };
}

async function stored(world: World): Promise<Record<string, Told>> {
  const rows = await world.rows(strategies);
  return Object.fromEntries(
    rows.map((row) => [
      String(row["id"]),
      {
        state: row["state"],
        status: row["status"],
        actor: row["actor"],
        desired: row["desired_status"],
        stopReason: row["stop_reason"],
        paramsVersion: row["params_version"],
        cash: plain(row["current_balance"]),
        actorCash: row["actor_cash"],
        realized: plain(row["realized_pnl"]),
        unrealized: plain(row["unrealized_pnl"]),
        totalValue: plain(row["total_value"]),
        trades: row["total_trades"],
        held: Object.fromEntries(
          Object.entries(parsed<Record<string, Record<string, string>>>(row["held"])).map(
            ([symbol, { cost, price, quantity }]) => [
              symbol,
              { quantity: plain(quantity), cost: plain(cost), price: plain(price) },
            ],
          ),
        ),
        cycles: parsed<Told[]>(row["cycles"]).map((cycle) => ({
          ...cycle,
          cash: plain(cycle["cash"]),
          totalValue: plain(cycle["totalValue"]),
        })),
      },
    ]),
  );
}

function told({ state }: WorldModel): Record<string, Told> {
  return Object.fromEntries(state.strategies.map((strategy) => [strategy.id, toldOf(strategy)]));
}

function toldOf(strategy: ModelStrategy): Told {
  const { cycles, desired, money, paramsVersion, stopReason, totalValue, unrealized } = strategy;
  const { state } = strategy;
  return {
    ...{ state, status: state, actor: state, desired, stopReason, paramsVersion },
    ...{ cash: money.cash, actorCash: money.cash, realized: money.realized, unrealized },
    ...{ totalValue, trades: money.trades, cycles },
    held: Object.fromEntries(
      Object.entries(money.positions).map(([symbol, { cost, quantity }]) => [
        symbol,
        { quantity, cost, price: averageOf(cost, quantity) },
      ]),
    ),
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
}

/** The drivers hand jsonb over as a value or as its text. */
function parsed<T>(value: unknown): T {
  return (typeof value === "string" ? JSON.parse(value) : value) as T;
}
