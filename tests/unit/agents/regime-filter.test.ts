import { expect, test } from "vitest";
import { regimeReadingSchema } from "#decisions/momentum-inputs.ts";
import { regimeFilterAgent } from "#agents/regime-filter.ts";
import { agentContext } from "#support/agent-context.ts";
import { candlesOf, trend } from "#support/candles.ts";

const BTC = "BTC/USDT";
const rising = candlesOf(trend(450, 0.004));
const falling = candlesOf(trend(450, -0.004));

test("a rising market is healthy, a falling one is not", async () => {
  const up = await regimeFilterAgent.run(agentContext({ [BTC]: rising }));
  const down = await regimeFilterAgent.run(agentContext({ [BTC]: falling }));
  expect(up.signal).toBe("BULLISH");
  expect(down.signal).toBe("BEARISH");
  expect(regimeReadingSchema.parse(up.data).regime_score).toBeGreaterThan(60);
  expect(regimeReadingSchema.parse(down.data).classification).toBe("DANGEROUS");
});

test("the score is the regime score spread from -100 to 100", async () => {
  const { score, data } = await regimeFilterAgent.run(agentContext({ [BTC]: rising }));
  expect(score).toBeCloseTo((regimeReadingSchema.parse(data).regime_score - 50) * 2, 1);
});

test("known fear & greed and funding enter the score with their source", async () => {
  const fearGreed = { value: 10, source: "index", at: 5, derived: true };
  const funding = [
    { symbol: BTC, at: 1, rate: "0.0001", markPrice: "1" },
    { symbol: BTC, at: 2, rate: "0.0006", markPrice: "1" },
    { symbol: "ETH/USDT", at: 3, rate: "-0.1", markPrice: "1" },
  ];
  const context = agentContext({ [BTC]: rising }, { facts: { fearGreed }, funding });
  const { data, provenance } = await regimeFilterAgent.run(context);
  expect(regimeReadingSchema.parse(data).components).toMatchObject({
    fear_greed: -1,
    funding_rate: -0.8,
  });
  expect(provenance[1]).toEqual({ source: "index", at: 5, derived: true });
});

test("with too few bars it is unavailable and says how many it needs and has", async () => {
  const run = regimeFilterAgent.run(agentContext({ [BTC]: rising.slice(0, 3) }));
  await expect(run).rejects.toMatchObject({
    name: "SourceUnavailable",
    message: "needs 416 bars of BTC/USDT, has 3",
  });
});

test("without a symbol it is unavailable", async () => {
  await expect(regimeFilterAgent.run(agentContext({}))).rejects.toThrow("no symbol to read");
});
