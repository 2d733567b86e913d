import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createChangeFeed, type StrategyChange } from "#services/change-feed.ts";
import { LiveStore, type LiveStrategy } from "#engine/live/live-store.ts";
import { startEngine, type ApiClient, type RunningEngine } from "#support/running-engine.ts";

describe("over the API", () => {
  let engine: RunningEngine;
  let client: ApiClient;

  beforeAll(async () => {
    engine = await startEngine();
    ({ client } = engine);
  });

  afterAll(() => engine[Symbol.asyncDispose]());

  test("a watcher sees the present state first and then every commit, never less than stored", async () => {
    const { strategyId } = await create();
    const events: Event[] = [];
    using _watching = watch([strategyId], events);
    await expect.poll(() => events.length, { timeout: 20_000 }).toBeGreaterThan(4);
    const told = [...events];
    const shown = told.map(({ data: [strategy] }) => strategy?.cycleIndex ?? -1);
    expect(shown).toEqual(shown.toSorted((a, b) => a - b));
    const stored = await client.strategies.cycles.query({ strategyId, limit: 200 });
    const values = new Map(stored.items.map((cycle) => [cycle.cycleIndex, cycle.totalValue]));
    for (const strategy of told.flatMap(({ data }) => data)) {
      if (strategy.cycleIndex === 0) continue;
      expect(values.get(strategy.cycleIndex)).toBe(strategy.totalValue);
    }
  });

  test("a watcher that comes back is told nothing twice", async () => {
    const { strategyId } = await create();
    const before: Event[] = [];
    const watching = watch([strategyId], before);
    await expect.poll(() => before.length, { timeout: 20_000 }).toBeGreaterThan(1);
    watching[Symbol.dispose]();
    const last = before.at(-1);
    const after: Event[] = [];
    using _again = watch([strategyId], after, last?.id);
    await expect.poll(() => after.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const seq = (event: Event | undefined): number => event?.data[0]?.seq ?? 0;
    expect(seq(after[0])).toBeGreaterThan(seq(last));
  });

  test("a watcher of one strategy hears of no other", async () => {
    const { strategyId } = await create();
    await create();
    const events: Event[] = [];
    using _watching = watch([strategyId], events);
    await expect.poll(() => events.length, { timeout: 20_000 }).toBeGreaterThan(2);
    const ids = events.flatMap(({ data }) => data.map((strategy) => strategy.strategyId));
    expect(new Set(ids)).toEqual(new Set([strategyId]));
  });

  test("watching a strategy that is not there is refused", async () => {
    const refusal = new Promise((resolve) => {
      const strategyIds = ["00000000-0000-4000-8000-000000000000"];
      client.strategies.onChange.subscribe({ strategyIds }, { onError: resolve });
    });
    expect(await refusal).toMatchObject({ data: { domainCode: "STRATEGY_NOT_FOUND" } });
  });

  function create() {
    return client.strategies.create.mutate({
      definition: "multi_agent_btc_daily",
      initialBalance: "10000",
    });
  }

  function watch(strategyIds: string[], events: Event[], lastEventId?: string): Disposable {
    const watching = client.strategies.onChange.subscribe(
      { strategyIds, lastEventId: lastEventId ?? null },
      { onData: (event) => events.push(event) },
    );
    return { [Symbol.dispose]: () => watching.unsubscribe() };
  }
});

type Watched = Parameters<ApiClient["strategies"]["onChange"]["subscribe"]>[1];
type Event = Parameters<NonNullable<Watched["onData"]>>[0];

describe("the feed behind it", () => {
  test("a slow reader gets the newest state of each strategy once, and in order", async () => {
    const live = new LiveStore();
    const feed = createChangeFeed(live);
    using abort = aborter();
    const reader = feed.changes({ strategyIds: null, after: 0, signal: abort.signal });
    live.committed([strategy("a", 1), strategy("b", 1)]);
    expect(seen(await reader.next())).toEqual(["a1", "b1"]);
    for (let seq = 2; seq <= 1_000; seq += 1) live.committed([strategy("a", seq)]);
    live.committed([strategy("c", 1)]);
    expect(seen(await reader.next())).toEqual(["a1000", "c1"]);
  });

  test("a reader goes on after the revision it had", async () => {
    const live = new LiveStore();
    const feed = createChangeFeed(live);
    using abort = aborter();
    live.committed([strategy("a", 1), strategy("b", 1), strategy("c", 1)]);
    const first = await feed.changes({ strategyIds: null, after: 0, signal: abort.signal }).next();
    const [, second] = first.value ?? [];
    live.committed([strategy("a", 2)]);
    const after = second?.revision ?? 0;
    const again = feed.changes({ strategyIds: null, after, signal: abort.signal });
    expect(seen(await again.next())).toEqual(["c1", "a2"]);
  });

  test("many strategies come in batches, each once", async () => {
    const live = new LiveStore();
    const feed = createChangeFeed(live);
    using abort = aborter();
    live.committed(Array.from({ length: 25 }, (_, index) => strategy(`s${index}-`, 1)));
    const reader = feed.changes({ strategyIds: null, after: 0, signal: abort.signal }, 10);
    const batches = [await reader.next(), await reader.next(), await reader.next()].map(seen);
    expect(batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
    expect(new Set(batches.flat()).size).toBe(25);
  });

  test("a waiting reader ends when it is told to", async () => {
    const feed = createChangeFeed(new LiveStore());
    const controller = new AbortController();
    const reader = feed.changes({ strategyIds: null, after: 0, signal: controller.signal });
    const next = reader.next();
    controller.abort();
    expect(await next).toMatchObject({ done: true });
  });

  function seen({ value }: IteratorResult<StrategyChange[], void>): string[] {
    return (value ?? []).map((change) => `${change.strategy.strategyId}${change.strategy.seq}`);
  }

  function aborter() {
    const controller = new AbortController();
    return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() };
  }

  function strategy(strategyId: string, seq: number): LiveStrategy {
    return {
      strategyId,
      shardId: "00000000-0000-4000-8000-000000000003",
      definitionId: "d",
      state: "running",
      stopReason: null,
      seq,
      cycleIndex: seq,
      lastCycleAt: seq,
      lastStatus: "completed",
      lastSignal: "HOLD",
      inProgress: null,
      totalValue: "1",
      cash: "1",
      realizedPnl: "0",
      unrealizedPnl: "0",
    };
  }
});
