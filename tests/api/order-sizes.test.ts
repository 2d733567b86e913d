import { afterAll, beforeAll, expect, test } from "vitest";
import { startEngine, type RunningEngine } from "#support/running-engine.ts";

let engine: RunningEngine;

beforeAll(async () => {
  engine = await startEngine({ started: false });
});

afterAll(() => engine[Symbol.asyncDispose]());

const create = (definition: string, initialBalance: string) =>
  engine.troupe.services.definitions.get(definition).then(async (found) => {
    const owner = await engine.troupe.services.localUser();
    return engine.troupe.services.strategies.create(found, owner, { initialBalance });
  });

test("a balance at which some purchases leave no order is warned of, and marked in the list", async () => {
  const { strategyId, warnings } = await create("multi_agent_btc_daily", "600");
  expect(warnings).toEqual([
    "the smallest order on binance_spot is worth 5 and purchases begin at 1.2: smaller ones leave no order; from a balance of 2500 on every purchase is large enough",
  ]);
  const { items } = await engine.client.strategies.list.query();
  expect(items.find(({ id }) => id === strategyId)).toMatchObject({ tooSmall: "some" });
});

test("a balance at which nothing could ever be ordered is refused with one that suffices", async () => {
  await expect(create("multi_agent_btc_daily", "400")).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message:
      "initialBalance: the smallest order on binance_spot is worth 5 and the largest purchase at this balance would be 4: nothing could ever be ordered; expected at least 500, better 2500",
  });
});

test("a balance large enough is not spoken of", async () => {
  const { strategyId, warnings } = await create("momentum_regime_btc_daily", "10000");
  expect(warnings).toBeUndefined();
  expect(await engine.client.strategies.get.query({ strategyId })).toMatchObject({
    tooSmall: "none",
  });
});

test("templates finer than the data are marked in their list", async () => {
  const definitions = await engine.client.definitions.list.query();
  const fits = definitions.map(({ barMinutes, name, waitsForBars }) => [
    name,
    barMinutes,
    waitsForBars,
  ]);
  expect(fits).toEqual([
    ["momentum_regime_btc_daily", 1_440, false],
    ["momentum_regime_btc_v1", 1_440, true],
    ["multi_agent_btc_daily", 1_440, false],
    ["multi_agent_btc_v1", 1_440, true],
  ]);
});
