import fc from "fast-check";
import { expect, test } from "vitest";
import { deriveFearGreed, FEAR_GREED_BARS, fearGreedFact } from "#tools/fear-greed.ts";
import { candlesOf, trend } from "#support/candles.ts";

const CALM = trend(FEAR_GREED_BARS, 0);

test("with fewer than 91 bars there is no index", () => {
  expect(FEAR_GREED_BARS).toBe(91);
  expect(deriveFearGreed(candlesOf(CALM.slice(1)))).toBeNull();
  expect(deriveFearGreed([])).toBeNull();
});

test("an ordinary sideways market is neither fear nor greed", () => {
  const index = deriveFearGreed(candlesOf(CALM));
  expect(index?.value).toBeGreaterThan(40);
  expect(index?.value).toBeLessThan(70);
});

test("a price that does not move is exactly in the middle", () => {
  expect(deriveFearGreed(candlesOf(Array(91).fill(5)))).toMatchObject({ value: 50 });
});

test("so is one that moved once and then stood still", () => {
  const closes = [...Array(60).fill(5), ...Array(31).fill(5.1)];
  const still = candlesOf(closes).map((bar) => ({ ...bar, high: bar.close, low: bar.close }));
  expect(deriveFearGreed(still)).toMatchObject({ value: 50, momentum: 50, drawdown: 50 });
});

test("a calm climb is greed, a wild fall is fear", () => {
  const climb = deriveFearGreed(candlesOf([...CALM, ...trend(30, 0.005, 0.001)]));
  const fall = CALM.map((close, index) => (index < 70 ? close : close * 0.96 ** (index - 69)));
  expect(climb?.value).toBeGreaterThan(70);
  expect(deriveFearGreed(candlesOf(fall))?.value).toBeLessThan(20);
});

test("the index follows its documented formula", () => {
  const closes = trend(91, 0.001, 0.02);
  const returns = closes.slice(1).map((close, i) => Math.log(close / (closes[i] ?? NaN)));
  const deviation = (values: number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  };
  const [usual, recent] = [deviation(returns), deviation(returns.slice(-30))];
  const close = closes[90] ?? NaN;
  const volatility = 100 - (50 * recent) / usual;
  const momentum = 50 + (25 * Math.log(close / (closes[60] ?? NaN))) / (usual * Math.sqrt(30));
  const drawdown = 100 - (50 * Math.log(Math.max(...closes) / close)) / (usual * Math.sqrt(90));
  expect(deriveFearGreed(candlesOf(closes))?.value).toBe(
    Math.round(0.3 * volatility + 0.4 * momentum + 0.3 * drawdown),
  );
});

test("the index is a whole number from 0 to 100 for any prices", () => {
  const prices = fc.array(fc.double({ min: 0.01, max: 1e6, noNaN: true }), {
    minLength: 91,
    maxLength: 120,
  });
  fc.assert(
    fc.property(prices, (closes) => {
      const value = deriveFearGreed(candlesOf(closes))?.value ?? NaN;
      expect(Number.isInteger(value) && value >= 0 && value <= 100).toBe(true);
    }),
  );
});

test("as a fact it is marked as derived, with its source and time", () => {
  const candles = candlesOf(CALM);
  expect(fearGreedFact(candles, "replay:x.csv")).toEqual({
    value: deriveFearGreed(candles)?.value,
    source: "fear-greed of replay:x.csv",
    at: candles.at(-1)?.closeAt,
    derived: true,
  });
  expect(fearGreedFact([], "replay:x.csv")).toBeNull();
});
