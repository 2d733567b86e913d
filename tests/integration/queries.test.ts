import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { composeIdOf } from "#domain/ids.ts";
import type { Database } from "#persistence/database.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import { resolveAlert } from "#persistence/repositories/alerts.repository.ts";
import { listAlerts } from "#persistence/queries/alerts.ts";
import { getCycle, listCycles } from "#persistence/queries/cycles.ts";
import { getDefinition, listDefinitions } from "#persistence/queries/definitions.ts";
import type { Page, PageRequest } from "#persistence/queries/page.ts";
import { strategyPerformance } from "#persistence/queries/performance.ts";
import { equityCurve, getView, portfolioSummary } from "#persistence/queries/portfolio.ts";
import {
  countStrategies,
  listStrategies,
  type StrategySort,
} from "#persistence/queries/strategies.ts";
import { getStrategy } from "#persistence/queries/strategy-record.ts";
import { getTick, listTicks } from "#persistence/queries/ticks.ts";
import { listInstructions, listTrades } from "#persistence/queries/trades.ts";
import { recordingQueue } from "#support/recording-queue.ts";
import { commitOf, cycleOf, populate, type Population, writeOf } from "#support/store-fixtures.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const CYCLES = 7;

describe.each(storeKinds)("the read side on %s", (kind) => {
  let store: TestStore;
  let database: Database;
  let population: Population;
  let strategyId: string;

  beforeAll(async () => {
    store = await openTestStore(kind);
    ({ database } = store);
    population = await populate(database, { count: 30 });
    strategyId = population.strategyIds[3] ?? "";
    const engine = createEngineStore(database, recordingQueue());
    const [head] = await engine.shardHeads();
    const journal = createJournal(database);
    for (let index = 1; index <= CYCLES; index += 1) {
      const totalValue = String(10_000 + index * 100);
      const writes = [writeOf(strategyId, cycleOf(strategyId, index, { totalValue }))];
      await journal.commit(commitOf(head?.id ?? "", index - 1, writes));
    }
    for (let minute = 0; minute < 5; minute += 1) {
      await engine.proposeTick(population.definition.id, 1_700_000_400_000 + minute * 60_000);
    }
  });
  afterAll(() => store[Symbol.asyncDispose]());

  async function all<T>(
    read: (request: PageRequest) => Promise<Page<T>>,
    limit: number,
  ): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null | undefined;
    do {
      const page: Page<T> = await read({ limit, ...(cursor ? { cursor } : {}) });
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== null);
    return items;
  }

  async function statementsOf(read: () => Promise<unknown>): Promise<number> {
    store.statements.length = 0;
    await read();
    return store.statements.length;
  }

  describe("lists", () => {
    test.each<StrategySort>(["created", "return", "name"])(
      "pages by %s show every strategy once, in the order of the whole list",
      async (sort) => {
        const whole = await listStrategies(database, { sort, limit: 200 });
        expect(whole.nextCursor).toBeNull();
        const paged = await all((request) => listStrategies(database, { ...request, sort }), 7);
        expect(paged).toEqual(whole.items);
        expect(new Set(paged.map(({ id }) => id)).size).toBe(30);
      },
    );

    test("the best return comes first", async () => {
      const { items } = await listStrategies(database, { sort: "return", limit: 1 });
      expect(items).toMatchObject([{ id: strategyId, returnFraction: "0.00125" }]);
    });

    test("a page stays the same when strategies are added before it", async () => {
      const first = await listStrategies(database, { limit: 10 });
      const request = { limit: 10, cursor: first.nextCursor ?? "" };
      const second = await listStrategies(database, request);
      await populate(database, { count: 1, name: "a newer one" });
      expect(await listStrategies(database, request)).toEqual(second);
      await database.sql.run(
        "delete from strategies where strategy_definition_id = (select id from strategy_definitions where name = 'a newer one')",
      );
    });

    test("filters by status, definition and part of the name", async () => {
      const names = async (filter: Parameters<typeof listStrategies>[1]) =>
        (await listStrategies(database, filter)).items.map(({ name }) => name);
      expect(await names({ search: "GY 0000" })).toHaveLength(10);
      expect(await names({ status: "stopped" })).toEqual([]);
      expect(await names({ definitionId: randomUUID() })).toEqual([]);
      expect(await countStrategies(database)).toEqual({
        total: 30,
        running: 30,
        stopped: 0,
        cancelled: 0,
      });
    });

    test("a cursor of another list is refused as input", async () => {
      const { nextCursor } = await listCycles(database, strategyId, { limit: 2 });
      await expect(listStrategies(database, { cursor: nextCursor ?? "" })).rejects.toMatchObject({
        code: "INVALID_INPUT",
      });
      await expect(listCycles(database, strategyId, { cursor: "x" })).rejects.toMatchObject({
        code: "INVALID_INPUT",
      });
    });

    test.each([
      ["strategies", (limit: number) => listStrategies(database, { limit }), 1],
      ["cycles", (limit: number) => listCycles(database, strategyId, { limit }), 3],
      ["trades", (limit: number) => listTrades(database, strategyId, { limit }), 1],
      ["ticks", (limit: number) => listTicks(database, { limit }), 1],
      ["definitions", () => listDefinitions(database), 1],
    ])("%s take the same few statements whatever the page", async (_name, read, expected) => {
      expect(await statementsOf(() => read(1))).toBe(expected);
      expect(await statementsOf(() => read(200))).toBe(expected);
    });
  });

  describe("one strategy", () => {
    test("is told with decimals in plain notation", async () => {
      expect(await getStrategy(database, strategyId)).toMatchObject({
        initialBalance: "10000",
        totalValue: "10700",
        cash: "4000.5",
        totalPnl: "12.5",
        winRate: "0.666666666666666667",
        maxDrawdown: "0.015",
        cycleIndex: CYCLES,
        params: { buy_threshold: 50 },
        symbols: ["ADA/USDT", "BTC/USDT", "ETH/USDT"],
      });
    });

    test("that nobody knows is not found", async () => {
      const id = randomUUID();
      const code = "STRATEGY_NOT_FOUND";
      await expect(getStrategy(database, id)).rejects.toMatchObject({ code });
      await expect(portfolioSummary(database, id)).rejects.toMatchObject({ code });
      await expect(strategyPerformance(database, id)).rejects.toMatchObject({ code });
    });

    test("its newest view is what its newest cycle left, to the last digit", async () => {
      const view = await getView(database, strategyId);
      const { cycleIndex, ...stored } = view ?? { cycleIndex: 0 };
      expect(cycleIndex).toBe(CYCLES);
      expect(stored).toEqual(cycleOf(strategyId, CYCLES, { totalValue: "10700" }).view);
      expect((await getView(database, strategyId, 2))?.totalValue).toBe("10200");
    });

    test("before its first cycle it has its initial balance and no view", async () => {
      const fresh = population.strategyIds[0] ?? "";
      expect(await getView(database, fresh)).toBeNull();
      expect(await portfolioSummary(database, fresh)).toMatchObject({
        at: null,
        totalValue: "10000",
        buyingPower: "10000",
        grossExposure: "0",
      });
      expect(await equityCurve(database, fresh)).toEqual([]);
      expect((await strategyPerformance(database, fresh)).performance.totalReturn).toBeNull();
    });

    test("its equity curve in few buckets ends at the newest point", async () => {
      const whole = await equityCurve(database, strategyId);
      expect(whole.map(({ cycleIndex }) => cycleIndex)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      const thinned = await equityCurve(database, strategyId, { buckets: 3 });
      expect(thinned).toHaveLength(3);
      expect(thinned.at(-1)).toEqual(whole.at(-1));
    });

    test("its performance counts from the initial balance", async () => {
      const { performance, points } = await strategyPerformance(database, strategyId);
      expect(points).toBe(CYCLES);
      expect(performance.totalReturn).toBeCloseTo(0.07, 12);
    });
  });

  describe("cycles", () => {
    test("come newest first with their orders and legs, exactly as recorded", async () => {
      const cycles = await all((request) => listCycles(database, strategyId, request), 3);
      expect(cycles.map(({ cycleIndex }) => cycleIndex)).toEqual([7, 6, 5, 4, 3, 2, 1]);
      const {
        answered: _,
        view,
        ledger,
        ...recorded
      } = cycleOf(strategyId, 4, { totalValue: "10400" });
      const { totalValue, ...read } = cycles[3] ?? { totalValue: "" };
      const of = { cycleIndex: 4, composeId: recorded.composeId };
      expect(totalValue).toBe(view.totalValue);
      expect(ledger.totalTrades).toBe(4);
      expect(read).toEqual({
        ...recorded,
        instructions: recorded.instructions.map((instruction) => ({ ...instruction, ...of })),
        legs: recorded.legs.map((leg) => ({ ...leg, ...of })),
      });
    });

    test("one is told with its portfolio and the params of its time", async () => {
      const composeId = composeIdOf(strategyId, "manual/4");
      const cycle = await getCycle(database, strategyId, composeId);
      expect(cycle).toMatchObject({ cycleIndex: 4, params: { buy_threshold: 50 } });
      expect(cycle.view?.holdings).toHaveLength(3);
    });

    test("one of another strategy is not found", async () => {
      const composeId = composeIdOf(strategyId, "manual/4");
      const other = population.strategyIds[0] ?? "";
      await expect(getCycle(database, other, composeId)).rejects.toMatchObject({
        code: "CYCLE_NOT_FOUND",
      });
    });

    test("trades and instructions are paged newest first without repeats", async () => {
      const trades = await all((request) => listTrades(database, strategyId, request), 4);
      expect(trades).toHaveLength(3 * CYCLES);
      expect(new Set(trades.map(({ tradeId }) => tradeId)).size).toBe(3 * CYCLES);
      expect(trades[0]).toMatchObject({ cycleIndex: 7, symbol: "ETH/USDT" });
      const orders = await all((request) => listInstructions(database, strategyId, request), 4);
      expect(orders).toHaveLength(3 * CYCLES);
    });
  });

  test("ticks are listed newest first and told with what became of them", async () => {
    const ticks = await all((request) => listTicks(database, request), 2);
    expect(ticks.map(({ status }) => status)).toEqual([
      "skipped",
      "skipped",
      "skipped",
      "skipped",
      "pending",
    ]);
    const { definition } = population;
    const ofDefinition = await listTicks(database, { definitionId: definition.id, limit: 5 });
    expect(ofDefinition.items).toEqual(ticks);
    const last = ticks.at(-1);
    expect(await getTick(database, last?.id ?? "")).toMatchObject({ ...last, agents: [] });
    expect(await getTick(database, randomUUID())).toBeNull();
  });

  test("definitions are found by id and by name, with how many strategies they have", async () => {
    const { definition } = population;
    const expected = { ...definition, strategies: 30, running: 30 };
    expect(await getDefinition(database, definition.id)).toMatchObject(expected);
    expect(await getDefinition(database, definition.name)).toMatchObject(expected);
    await expect(getDefinition(database, "no such")).rejects.toMatchObject({
      code: "DEFINITION_NOT_FOUND",
    });
  });

  test("a definition counts what is not archived, and of that what is wanted to run", async () => {
    const wish = "update strategies set desired_status = $2, archived_at = $3 where id = $1";
    const [stopped, archived] = (await listStrategies(database, { limit: 2 })).items;
    await database.sql.run(wish, [stopped?.id, "stopped", null]);
    await database.sql.run(wish, [archived?.id, "running", "2024-01-01T00:00:00Z"]);
    const counts = { strategies: 29, running: 28 };
    expect(await getDefinition(database, population.definition.id)).toMatchObject(counts);
    for (const { id } of [stopped, archived].flatMap((item) => item ?? [])) {
      await database.sql.run(wish, [id, "running", null]);
    }
  });

  test("a resolved alert leaves the open list and the next one is a new one", async () => {
    const engine = createEngineStore(database, recordingQueue());
    const alert = {
      kind: "feed_stale",
      severity: "warning",
      subject: "BTC/USDT",
      strategyId: null,
      message: "old price",
      detail: {},
    } as const;
    await engine.raiseAlert(alert);
    const [open] = (await listAlerts(database, { openOnly: true })).items;
    const resolve = { alertId: open?.id ?? "", actor: "u1" };
    expect(await resolveAlert(database, resolve)).toBe(true);
    expect(await resolveAlert(database, resolve)).toBe(false);
    await engine.raiseAlert(alert);
    expect((await listAlerts(database, { openOnly: true })).items).toHaveLength(1);
    expect(await all((request) => listAlerts(database, request), 1)).toHaveLength(2);
  });
});
