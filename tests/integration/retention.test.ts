import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { systemTimer } from "#adapters/system-timer.ts";
import type { Decision } from "#domain/decision.ts";
import { openDatabase } from "#persistence/database.ts";
import {
  createRetentionService,
  type PruneReport,
  type PruneRequest,
  type RetentionService,
} from "#services/retention.ts";
import {
  buy,
  type Decide,
  type EngineFixture,
  FIRST_TICK,
  hold,
  PERIOD_MS,
  startEngine,
  SYMBOL,
  wipe,
} from "#support/engine.ts";
import { everyTenMinutes, forgeCycles, forgeTick } from "#support/forged-history.ts";
import { historyOf, violations } from "#support/invariants.ts";
import { populate } from "#support/store-fixtures.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const ETHER = "ETH/USDT";

describe.each(storeKinds)("on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  describe("of what an engine did, a prune", () => {
    // Twenty ticks from midnight to 03:10: whole from 02:00 on.
    const KEEP = { keep: "1h", actor: "test" };
    const TICKS = 20;
    let engine: EngineFixture;
    let strategyIds: string[];
    let before: Awaited<ReturnType<typeof figuresOf>>;
    let planned: PruneReport;
    let pruned: PruneReport;

    beforeAll(async () => {
      engine = await startEngine(store, { decisions: { scripted } });
      engine.feed.set(ETHER, "50");
      const symbols = [SYMBOL, ETHER];
      const definition = await engine.define({ decisionAgent: "scripted", symbols });
      strategyIds = await engine.create(definition, "quiet", "busy", "stopped");
      for (let tick = 0; tick < TICKS; tick += 1) await play(tick);
      before = await figuresOf(engine, strategyIds);
      planned = await pruneWith(engine.services.retention, { ...KEEP, dryRun: true });
      pruned = await pruneWith(engine.services.retention, KEEP);
    });
    afterAll(() => engine.stop());

    test("leaves whole what it leaves", async () => {
      // Of twelve old ones each keeps the first and two hourly ones. The busy one traded, failed and
      // traded, the stopped one bought again; what it sold had no tick.
      expect(pruned.removed).toMatchObject({ cycles: 9 + 6 + 8, views: 9 + 6 + 8 });
      expect(await violations(engine.rows.bind(engine), { isThinned: true })).toEqual([]);
    });

    test("lets every stored cycle be decided again, to the same decision and orders (I15)", async () => {
      const cycles = await engine.rows(
        "select compose_id, context_before is not null as inherits from strategy_compose_cycles",
      );
      expect(cycles.filter(({ inherits }) => inherits === true).length).toBeGreaterThan(3);
      const { strategies } = engine.services;
      for (const { compose_id: composeId } of cycles) {
        expect(await strategies.replayDecision(String(composeId))).toMatchObject({
          differences: [],
        });
      }
    });

    test("changes no figure of a strategy, its newest portfolio or its trades", async () => {
      const after = await figuresOf(engine, strategyIds);
      expect(after.map(({ exact }) => exact)).toEqual(before.map(({ exact }) => exact));
      for (const [index, { totalReturn }] of after.entries()) {
        expect(totalReturn).toBeCloseTo(before[index]?.totalReturn ?? Number.NaN, 12);
      }
    });

    test("removes the ticks that no stored cycle belongs to, with their agent runs", async () => {
      const ticks = await engine.rows(
        `select t.cycles, count(a.id)::int as runs,
         exists (select 1 from strategy_compose_cycles c where c.tick_id = t.id) as is_used
       from ticks t left join agent_runs a on a.tick_id = t.id group by t.id`,
      );
      expect(ticks).toEqual(ticks.map(() => ({ cycles: 3, runs: 1, is_used: true })));
      expect(ticks).toHaveLength(TICKS - 5);
      expect(pruned.removed).toMatchObject({ ticks: 5, agentRuns: 5 });
    });

    test("has said the same in a dry run, which removes nothing", () => {
      const { cycles, holdings, views } = pruned.removed;
      expect(planned).toMatchObject({
        phase: "done",
        dryRun: true,
        removed: { cycles, views, holdings, ticks: null, agentRuns: null },
      });
    });

    test("finds nothing the second time, and the engine goes on where it was", async () => {
      const query = engine.rows.bind(engine);
      const history = await historyOf(query);
      const again = await pruneWith(engine.services.retention, KEEP);
      expect(again.removed).toEqual({ cycles: 0, views: 0, holdings: 0, ticks: 0, agentRuns: 0 });
      expect(await historyOf(query)).toEqual(history);
      await engine.tick();
      const numbers = await engine.rows("select cycle_index from strategies order by cycle_index");
      expect(numbers.map((row) => row["cycle_index"])).toEqual([TICKS + 1, TICKS + 1, TICKS + 2]);
      expect(await violations(query, { isThinned: true })).toEqual([]);
    });

    /** Prices move with every tick; at one the ether has none and is worth what it was before. */
    async function play(tick: number): Promise<void> {
      engine.feed.set(SYMBOL, String(100 + tick));
      if (tick === 5) engine.feed.remove(ETHER);
      else engine.feed.set(ETHER, String(50 + tick));
      await engine.tick();
      if (tick !== 8) return;
      const stopped = strategyIds[2] ?? "";
      await engine.stopStrategy(stopped, true);
      await engine.resumeStrategy(stopped);
    }
  });

  describe("a long prune", () => {
    const HOURLY = { keep: "1h", keepHourly: "520w", actor: "test" };
    const cyclesEach = kind === "postgres" ? 3_996 : 996;
    let engine: EngineFixture;

    beforeAll(async () => {
      await wipe(store);
      engine = await startEngine(store);
      const definition = await engine.define();
      const asleep = await engine.create(definition, "asleep", "asleep", "asleep");
      for (const id of asleep) await engine.stopStrategy(id, false);
      await engine.create(definition, "awake");
      await engine.tick();
      const times = everyTenMinutes(Date.UTC(2023, 0, 1), cyclesEach);
      await forgeCycles(store.database, { strategyIds: asleep, times });
    });
    afterAll(() => engine.stop());

    test("lets the engine commit, refuses a second one, can be ended, and is taken up again", async () => {
      const { retention } = engine.services;
      await retention.start(HOURLY);
      await using elsewhere = await onOtherNode(store);
      const second = elsewhere.retention.start(HOURLY);
      await expect(second).rejects.toMatchObject({ code: "PRUNE_RUNNING" });
      await vi.waitFor(() => expect(retention.status()?.removed.cycles).toBeGreaterThan(0), {
        interval: 1,
      });
      const ended = await retention.stop();
      expect(ended).toMatchObject({ phase: "stopped", error: null });
      expect(ended?.removed.cycles).toBeLessThan(2 * cyclesEach);

      await elsewhere.retention.start(HOURLY);
      await engine.tick();
      await engine.tick();
      const rest = await endOf(elsewhere.retention);
      expect(rest.phase).toBe("done");
      // Ten minutes apart, five of every six go, but never the very first.
      const removed = (ended?.removed.cycles ?? 0) + rest.removed.cycles;
      expect(removed).toBe(3 * (cyclesEach - cyclesEach / 6 - 1));
      await engine.tick();
      const [awake] = await engine.rows("select max(cycle_index) as newest from strategies");
      expect(awake).toEqual({ newest: 4 });
    });
  });

  test.runIf(kind === "postgres")(
    "a prune that loses its lock says so, and another can begin",
    async () => {
      await wipe(store);
      const { database } = store;
      const { definition, strategyIds } = await populate(database, { count: 2 });
      await forgeTick(database, { definitionId: definition.id, at: Date.UTC(2024, 0, 1) });
      await forgeCycles(database, {
        strategyIds,
        times: everyTenMinutes(Date.UTC(2023, 0, 1), 3_000),
      });
      const retention = createRetentionService({ database, timer: systemTimer });
      const request = { keep: "1h", actor: "test", dryRun: true };
      await retention.start(request);
      await database.sql.rows(
        `select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
       where l.locktype = 'advisory' and d.datname = current_database()`,
      );
      const lost = await endOf(retention);
      expect(lost).toMatchObject({ phase: "failed", error: { code: "PORT_UNAVAILABLE" } });
      expect(await pruneWith(retention, request)).toMatchObject({ phase: "done", error: null });
    },
  );

  describe("of a forged history, a prune", () => {
    // Whole from the 3rd, 10:00 on; hourly from the 2nd on; daily before.
    const KEEP = { keep: "24h", keepHourly: "48h", actor: "test" };
    const NEWEST = "4 10:20";
    const TIMES = [
      ...["1 00:00", "1 00:10", "1 00:50", "1 01:00", "1 05:00", "1 05:10", "1 23:40", "1 23:50"],
      ...["2 00:00", "2 00:10", "2 10:00", "2 10:20", "2 10:30"],
      ...["3 09:40", "3 09:50", "3 10:00", "3 10:10", "3 11:00", "3 11:10", NEWEST],
    ];
    const KEPT = [
      ...["1 00:00", "1 23:50", "2 00:10", "2 10:30", "3 09:50"],
      ...["3 10:00", "3 10:10", "3 11:00", "3 11:10", NEWEST],
    ];
    let plain: string;
    let eventful: string;
    let report: PruneReport;

    beforeAll(async () => {
      await wipe(store);
      const { database } = store;
      const { definition, strategyIds } = await populate(database, { count: 2 });
      [plain = "", eventful = ""] = strategyIds;
      await forgeCycles(database, { strategyIds, times: TIMES.map(instantOf) });
      await forgeTick(database, { definitionId: definition.id, at: instantOf(NEWEST) });
      await make("1 01:00", "cause = 'stop', decision = null");
      await make("1 05:00", "status = 'failed', decision = null");
      await make("2 00:00", "cause = 'protection'");
      await database.sql.run(
        `insert into strategy_instructions (strategy_id, instruction_id, cycle_index, compose_id,
         position, symbol, action, side, quantity, leverage, price_mode, reduce_only,
         client_order_id, status, filled_quantity, fee)
       select strategy_id, gen_random_uuid(), cycle_index, compose_id, 0, 'BTC/USDT', 'open_long',
         'BUY', 1, 1, 'market', false, '', 'rejected', 0, 0
       from strategy_compose_cycles where strategy_id = $1 and compose_time = $2`,
        [eventful, new Date(instantOf("2 10:20")).toISOString()],
      );
      report = await pruneWith(createRetentionService({ database, timer: systemTimer }), {
        ...KEEP,
      });
    });

    test("keeps the last cycle of every old hour, of every very old day, and all young ones", async () => {
      expect(await storedTimes(plain)).toEqual(KEPT);
    });

    test("keeps for ever what failed, what no tick caused, and what had an order of any fate", async () => {
      const eventfulTimes = ["1 01:00", "1 05:00", "2 00:00", "2 10:20"];
      const expected = TIMES.filter((time) => [...KEPT, ...eventfulTimes].includes(time));
      expect(await storedTimes(eventful)).toEqual(expected);
    });

    test("says what it removed", () => {
      expect(report).toMatchObject({
        phase: "done",
        strategies: { total: 2, done: 2 },
        removed: { cycles: 16, views: 16, holdings: 16, ticks: 0, agentRuns: 0 },
      });
    });

    async function make(time: string, changes: string): Promise<void> {
      await store.database.sql.run(
        `update strategy_compose_cycles set ${changes} where strategy_id = $1 and compose_time = $2`,
        [eventful, new Date(instantOf(time)).toISOString()],
      );
    }

    async function storedTimes(strategyId: string): Promise<string[]> {
      const rows = await store.database.sql.rows(
        `select to_char(compose_time at time zone 'UTC', 'FMDD HH24:MI') as at
       from strategy_compose_cycles join strategy_portfolio_views using (strategy_id, cycle_index)
       where strategy_id = $1 order by cycle_index`,
        [strategyId],
      );
      return rows.map(({ at }) => String(at));
    }

    function instantOf(time: string): number {
      const [day = "", clock = ""] = time.split(" ");
      return Date.parse(`2024-01-0${day}T${clock}:00Z`);
    }
  });
});

/** PGlite has no other node: there it is the same database asked again. */
async function onOtherNode({ database, url }: TestStore) {
  const other = url === null ? null : await openDatabase({ kind: "postgres", url });
  return {
    retention: createRetentionService({ database: other ?? database, timer: systemTimer }),
    [Symbol.asyncDispose]: async () => other?.close(),
  };
}

async function pruneWith(retention: RetentionService, request: PruneRequest): Promise<PruneReport> {
  await retention.start(request);
  return endOf(retention);
}

function endOf(retention: RetentionService): Promise<PruneReport> {
  return vi.waitFor(
    () => {
      const report = retention.status();
      if (report === null || ["cycles", "ticks", "vacuum"].includes(report.phase)) {
        throw new Error(`not at its end: ${JSON.stringify(report)}`);
      }
      return report;
    },
    { timeout: 40_000, interval: 20 },
  );
}

/** Buys both when it holds nothing; the busy one buys twice more and fails in between. */
const scripted: Decide = (input) => {
  const tick = (input.tick.scheduledFor - FIRST_TICK) / PERIOD_MS;
  const seen = JSON.parse(JSON.stringify(input.portfolio));
  const ticks = Number(input.state?.["ticks"] ?? 0) + 1;
  const told: Partial<Decision> = { details: { seen }, state: { ticks }, ...guardedAt(tick) };
  if (input.portfolio.holdings.length === 0) return buyBoth(told);
  if (input.params.role !== "busy") return hold(told);
  if (tick === 4) throw new Error("as the script says");
  return tick === 2 || tick === 10 ? buy("1", told) : hold(told);
};

/** Protections stay as they are until a decision says otherwise. */
function guardedAt(tick: number): Partial<Decision> {
  const stopLoss = { 0: "60", 3: "70" }[tick];
  const protections = [{ symbol: SYMBOL, stopLoss: stopLoss ?? "", takeProfit: null }];
  return stopLoss === undefined ? {} : { protections };
}

function buyBoth(told: Partial<Decision>): Decision {
  const items = [SYMBOL, ETHER].map((symbol) => {
    return { symbol, action: "open_long" as const, quantity: "2" };
  });
  return buy("2", { ...told, items });
}

async function figuresOf({ services }: EngineFixture, ids: readonly string[]) {
  const { strategies } = services;
  return Promise.all(
    ids.map(async (id) => {
      const { performance, strategy } = await strategies.performance(id);
      const exact = {
        strategy,
        trades: performance.trades,
        summary: await strategies.portfolioSummary(id),
        holding: await strategies.holding(id),
        newestPoint: (await strategies.equityCurve(id)).at(-1),
        legs: (await strategies.trades(id)).items,
      };
      return { exact, totalReturn: performance.totalReturn };
    }),
  );
}
