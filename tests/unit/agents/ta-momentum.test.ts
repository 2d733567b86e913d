import { expect, test } from "vitest";
import { momentumReadingSchema } from "#decisions/momentum-inputs.ts";
import { taMomentumAgent } from "#agents/ta-momentum.ts";
import { atr } from "#tools/indicators.ts";
import { TECHNICAL_BARS } from "#tools/technical-reading.ts";
import { agentContext } from "#support/agent-context.ts";
import { candlesOf, trend } from "#support/candles.ts";

const [BTC, ETH] = ["BTC/USDT", "ETH/USDT"];
const rising = candlesOf(trend(450, 0.004));
const falling = candlesOf(Array.from({ length: 450 }, (_, index) => 200 - 0.0008 * index ** 2));
const flat = candlesOf(Array(450).fill(9));

test("a rising market is a long at the last close with the ATR of its bars", async () => {
  const { signal, score, data } = await taMomentumAgent.run(agentContext({ [BTC]: rising }));
  const best = momentumReadingSchema.parse(data).best_opportunity;
  expect(signal).toBe("BULLISH");
  expect(score).toBe((best?.signal_strength ?? NaN) * 100);
  expect(best).toMatchObject({
    symbol: BTC,
    signal: "LONG",
    entry_price: rising.at(-1)?.close,
    atr: atr(rising.slice(-TECHNICAL_BARS), 14).at(-1),
    stop_loss_distance_atr: 2,
  });
});

test("a falling market is a short with a negative score", async () => {
  const { signal, score, data } = await taMomentumAgent.run(agentContext({ [BTC]: falling }));
  expect(signal).toBe("BEARISH");
  expect(score).toBeLessThanOrEqual(-60);
  expect(momentumReadingSchema.parse(data).best_opportunity?.signal).toBe("SHORT");
});

test("a market without direction is no opportunity", async () => {
  const { signal, score, data } = await taMomentumAgent.run(agentContext({ [BTC]: flat }));
  expect([signal, score]).toEqual(["NEUTRAL", 0]);
  const reading = momentumReadingSchema.parse(data);
  expect(reading.best_opportunity).toBeNull();
  expect(reading.assets[BTC]).toMatchObject({ signal: "NEUTRAL", signal_strength: 0 });
});

test("the best of several symbols is chosen and all are shown", async () => {
  const context = agentContext({ [BTC]: flat, [ETH]: rising });
  const reading = momentumReadingSchema.parse((await taMomentumAgent.run(context)).data);
  expect(reading.best_opportunity?.symbol).toBe(ETH);
  expect(Object.keys(reading.assets)).toEqual([BTC, ETH]);
});

test("a symbol with too few bars is left out and said so", async () => {
  const context = agentContext({ [BTC]: rising, [ETH]: rising.slice(-20) });
  const { reasoning, data } = await taMomentumAgent.run(context);
  expect(Object.keys(momentumReadingSchema.parse(data).assets)).toEqual([BTC]);
  expect(reasoning).toContain("needs 416 bars of ETH/USDT, has 20");
});

test("without enough bars of any symbol it is unavailable", async () => {
  const run = taMomentumAgent.run(agentContext({ [BTC]: [], [ETH]: rising.slice(-20) }));
  await expect(run).rejects.toMatchObject({
    name: "SourceUnavailable",
    message: "needs 416 bars of BTC/USDT, has 0; needs 416 bars of ETH/USDT, has 20",
  });
});

test("a failing source is a failure, not missing data", async () => {
  const context = {
    ...agentContext({ [BTC]: rising }),
    candles: () => Promise.reject(new Error("x")),
  };
  await expect(taMomentumAgent.run(context)).rejects.toMatchObject({ name: "Error", message: "x" });
});
