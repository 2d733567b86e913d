import { randomUUID } from "node:crypto";
import { TRPCClientError } from "@trpc/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine, type ApiClient, type RunningEngine } from "#support/running-engine.ts";

const DAILY = "multi_agent_btc_daily";
const NOBODY = "00000000-0000-4000-8000-000000000000";

let engine: RunningEngine;
let client: ApiClient;

beforeAll(async () => {
  engine = await startEngine();
  ({ client } = engine);
});

afterAll(() => engine[Symbol.asyncDispose]());

describe("creating and editing", () => {
  test("a strategy is made from a template named by its name, with a name of its own", async () => {
    const created = await create({ name: "By hand", tags: ["mine"] });
    const strategy = await client.strategies.get.query(created);
    expect(strategy).toMatchObject({
      name: "By hand",
      definitionName: DAILY,
      state: "running",
      desiredStatus: "running",
      pending: false,
      initialBalance: "10000",
      tags: ["mine"],
      paramsVersion: 1,
    });
  });

  test("a strategy without a name is numbered by template and user", async () => {
    const { id: definition } = await client.definitions.get.query({
      definition: "momentum_regime_btc_daily",
    });
    const request = { definition, initialBalance: "500" };
    const first = await client.strategies.create.mutate(request);
    const second = await client.strategies.create.mutate(request);
    expect(first.name).toBe("Momentum & Regime BTC, Daily - Local Operator - #1");
    expect(second.name).toBe("Momentum & Regime BTC, Daily - Local Operator - #2");
  });

  test("a creation sent again, or twice at once, with the caller's id makes one strategy", async () => {
    const strategyId = randomUUID();
    const request = { definition: DAILY, initialBalance: "7500", strategyId };
    const [first, twin] = await Promise.all([
      client.strategies.create.mutate(request),
      client.strategies.create.mutate(request),
    ]);
    expect(twin).toEqual(first);
    await client.strategies.update.mutate({ strategyId, name: "Renamed since" });
    const again = await client.strategies.create.mutate({ ...request, initialBalance: "7500.00" });
    expect(again).toMatchObject({ strategyId, name: "Renamed since", initialBalance: "7500" });
    const found = await client.strategies.list.query({ search: "Renamed since" });
    expect(found.items.map(({ id }) => id)).toEqual([strategyId]);
  });

  test.each([
    ["another balance", { initialBalance: "751" }],
    ["another template", { definition: "momentum_regime_btc_daily" }],
  ])("an id that names another strategy already is refused: %s", async (_what, other) => {
    const { strategyId } = await create();
    const error = await refused(create({ strategyId, ...other }));
    expect(error.data).toMatchObject({ domainCode: "DUPLICATE", httpStatus: 409 });
    expect(fieldsOf(error)).toEqual(["strategyId"]);
  });

  test("params that differ are laid over the template's, weights by key", async () => {
    const { strategyId } = await create({ params: { buy_threshold: 60 } });
    const edited = await client.strategies.update.mutate({
      strategyId,
      name: "Renamed",
      params: { agent_weights: { macro: 0.5, onchain: 0.3 }, full_sell_threshold: 40 },
    });
    expect(edited).toMatchObject({ name: "Renamed", paramsVersion: 2 });
    expect(edited.params).toMatchObject({
      buy_threshold: 60,
      full_sell_threshold: 40,
      agent_weights: { macro: 0.5, onchain: 0.3, ta: 0.2 },
    });
  });

  test("an edit keeps the weights an earlier edit has set", async () => {
    const { strategyId } = await create({
      params: { agent_weights: { macro: 0.2, onchain: 0.2, ta: 0.6 } },
    });
    const edited = await client.strategies.update.mutate({
      strategyId,
      params: { agent_weights: { macro: 0.1, onchain: 0.3 } },
    });
    expect(edited.params["agent_weights"]).toEqual({ macro: 0.1, onchain: 0.3, ta: 0.6 });
  });

  test("a wrong param is refused by its name", async () => {
    const error = await refused(create({ params: { buy_threshold: "high" } }));
    expect(error.data).toMatchObject({ domainCode: "INVALID_PARAMS", httpStatus: 400 });
    expect(fieldsOf(error)).toContain("buy_threshold");
  });

  test("an initial balance of nothing is refused by its name", async () => {
    const error = await refused(create({ initialBalance: "0" }));
    expect(error.data).toMatchObject({ domainCode: "INVALID_INPUT", httpStatus: 400 });
    expect(fieldsOf(error)).toContain("initialBalance");
  });

  test("a field that does not exist is refused rather than ignored", async () => {
    const request = { definition: DAILY, initialBalance: "1", leverage: 5 };
    const error = await refused(client.strategies.create.mutate(request));
    expect(error.data).toMatchObject({ domainCode: "INVALID_INPUT", httpStatus: 400 });
  });
});

describe("what is not there", () => {
  test.each([
    ["get", () => client.strategies.get.query({ strategyId: NOBODY })],
    ["cycles", () => client.strategies.cycles.query({ strategyId: NOBODY })],
    ["trades", () => client.strategies.trades.query({ strategyId: NOBODY })],
    ["holding", () => client.strategies.holding.query({ strategyId: NOBODY })],
    ["portfolioSummary", () => client.strategies.portfolioSummary.query({ strategyId: NOBODY })],
    ["performance", () => client.strategies.performance.query({ strategyId: NOBODY })],
    ["equityCurve", () => client.strategies.equityCurve.query({ strategyId: NOBODY })],
    ["stop", () => client.strategies.stop.mutate({ strategyId: NOBODY })],
    ["resume", () => client.strategies.resume.mutate({ strategyId: NOBODY })],
    ["update", () => client.strategies.update.mutate({ strategyId: NOBODY, name: "x" })],
  ])("an unknown strategy is not found by %s", async (_name, call) => {
    const error = await refused(call());
    expect(error.data).toMatchObject({ domainCode: "STRATEGY_NOT_FOUND", httpStatus: 404 });
  });

  test("an unknown cycle and an unknown template are not found", async () => {
    const { strategyId } = await create();
    const cycle = await refused(client.strategies.cycle.query({ strategyId, composeId: NOBODY }));
    expect(cycle.data).toMatchObject({ domainCode: "CYCLE_NOT_FOUND", httpStatus: 404 });
    const definition = await refused(client.definitions.get.query({ definition: "nope" }));
    expect(definition.data).toMatchObject({ domainCode: "DEFINITION_NOT_FOUND", httpStatus: 404 });
  });
});

describe("a life", () => {
  test("a strategy runs, is stopped, stays stopped, and runs on where it was", async () => {
    const { strategyId } = await create({ name: "Round trip" });
    await expect.poll(() => cyclesOf(strategyId), { timeout: 20_000 }).toBeGreaterThan(1);

    const stop = await client.strategies.stop.mutate({ strategyId, reason: "lunch" });
    expect(stop).toMatchObject({ outcome: "requested", desiredStatus: "stopped" });
    await expect
      .poll(() => client.strategies.get.query({ strategyId }), { timeout: 20_000 })
      .toMatchObject({ state: "stopped", stopReason: "normal_exit", pending: false });
    const stoppedAt = await cyclesOf(strategyId);
    const { market } = await client.engine.status.query();
    await expect.poll(replayTime, { timeout: 20_000 }).toBeGreaterThan(market.now);
    expect(await cyclesOf(strategyId)).toBe(stoppedAt);
    expect(await client.strategies.holding.query({ strategyId })).toMatchObject({ holdings: [] });

    const again = await client.strategies.stop.mutate({ strategyId });
    expect(again).toMatchObject({ outcome: "unchanged", state: "stopped", pending: false });

    const resume = await client.strategies.resume.mutate({ strategyId });
    expect(resume).toMatchObject({ outcome: "requested", desiredStatus: "running" });
    await expect.poll(() => cyclesOf(strategyId), { timeout: 20_000 }).toBeGreaterThan(stoppedAt);
  });

  test("what it did can be read in every form, and all of them agree", async () => {
    const { strategyId } = await create({ name: "Chronicle", params: { buy_threshold: 46 } });
    await expect
      .poll(async () => (await client.strategies.trades.query({ strategyId })).items.length, {
        timeout: 30_000,
      })
      .toBeGreaterThan(0);
    await client.strategies.stop.mutate({ strategyId, closePositions: false });
    await expect
      .poll(() => client.strategies.get.query({ strategyId }), { timeout: 20_000 })
      .toMatchObject({ state: "stopped" });

    const strategy = await client.strategies.get.query({ strategyId });
    const summary = await client.strategies.portfolioSummary.query({ strategyId });
    const holding = await client.strategies.holding.query({ strategyId });
    const curve = await client.strategies.equityCurve.query({ strategyId });
    const performance = await client.strategies.performance.query({ strategyId });
    const newest = (await client.strategies.cycles.query({ strategyId, limit: 1 })).items[0];
    const detail = await client.strategies.cycle.query({
      strategyId,
      composeId: newest?.composeId ?? "",
    });
    expect(summary.totalValue).toBe(strategy.totalValue);
    expect(holding?.totalValue).toBe(strategy.totalValue);
    expect(curve.at(-1)?.totalValue).toBe(strategy.totalValue);
    expect(detail.portfolio?.totalValue).toBe(strategy.totalValue);
    const again = await client.strategies.replayDecision.query({
      composeId: detail.composeId,
    });
    expect(again).toMatchObject({ identical: true, differences: [] });
    expect(newest?.cycleIndex).toBe(strategy.cycleIndex);
    expect(performance.points).toBe(strategy.cycleIndex);
    expect(performance.totalReturn).toBeCloseTo(Number(strategy.returnFraction), 9);
  });
});

describe("pages", () => {
  test("no strategy is shown twice or missed while ticks change them and others come", async () => {
    const created = new Set<string>();
    for (let n = 0; n < 7; n += 1) created.add((await create({ name: `Page ${n}` })).strategyId);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<ApiClient["strategies"]["list"]["query"]>> =
        await client.strategies.list.query({ limit: 2, search: "page", cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      await create({ name: `Page in between ${seen.length}` });
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => created.has(id))).toHaveLength(created.size);
  });

  test("a strategy's cycles are without gap from page to page while it goes on", async () => {
    const { strategyId } = await create();
    await expect.poll(() => cyclesOf(strategyId), { timeout: 20_000 }).toBeGreaterThan(6);
    const indexes: number[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<ApiClient["strategies"]["cycles"]["query"]>> =
        await client.strategies.cycles.query({ strategyId, limit: 3, cursor });
      indexes.push(...page.items.map(({ cycleIndex }) => cycleIndex));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const [newest = 0] = indexes;
    expect(indexes).toEqual(Array.from({ length: newest }, (_, index) => newest - index));
  });

  test("more than 200 at a time and a made-up cursor are refused", async () => {
    const tooMany = await refused(client.strategies.list.query({ limit: 201 }));
    expect(fieldsOf(tooMany)).toEqual(["limit"]);
    const madeUp = await refused(client.strategies.list.query({ cursor: "made-up" }));
    expect(fieldsOf(madeUp)).toEqual(["cursor"]);
  });
});

function create(request: Partial<Parameters<ApiClient["strategies"]["create"]["mutate"]>[0]> = {}) {
  return client.strategies.create
    .mutate({ definition: DAILY, initialBalance: "10000", ...request })
    .then(({ strategyId }) => ({ strategyId }));
}

async function cyclesOf(strategyId: string): Promise<number> {
  return (await client.strategies.get.query({ strategyId })).cycleIndex;
}

async function replayTime(): Promise<number> {
  return (await client.engine.status.query()).market.now;
}

async function refused(call: Promise<unknown>): Promise<TRPCClientError<never>> {
  const error: unknown = await call.catch((reason: unknown) => reason);
  if (error instanceof TRPCClientError) return error as TRPCClientError<never>;
  throw new Error(`expected a refusal, was ${String(error)}`);
}

function fieldsOf({ data }: TRPCClientError<never>): string[] {
  const { fieldErrors } = data as unknown as { fieldErrors: { field: string }[] };
  return fieldErrors.map(({ field }) => field);
}
