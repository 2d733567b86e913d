import { expect, test } from "vitest";
import { classOf, readRegime, REGIME_BARS } from "#tools/regime.ts";
import { candlesOf, trend } from "#support/candles.ts";

const rising = candlesOf(trend(450, 0.003));
const falling = candlesOf(trend(450, -0.003));

test("with fewer than 416 bars there is no regime", () => {
  expect(REGIME_BARS).toBe(416);
  expect(readRegime(candlesOf(trend(415, 0)), {})).toBeNull();
});

test("a rising market is healthy, a falling one dangerous", () => {
  expect(readRegime(rising, {})?.score).toBeGreaterThan(60);
  expect(readRegime(falling, {})).toMatchObject({ classification: "DANGEROUS" });
});

test("a market that does not move is neutral", () => {
  const regime = readRegime(candlesOf(Array(450).fill(9)), {});
  expect(regime).toMatchObject({ score: 50, classification: "NEUTRAL" });
});

test("sudden volatility makes the market less healthy", () => {
  const wild = trend(450, 0.003).map((close, i) =>
    i < 435 ? close : close * (i % 2 ? 1.05 : 0.97),
  );
  const score = (regime: ReturnType<typeof readRegime>) => regime?.components["volatility"] ?? NaN;
  expect(score(readRegime(candlesOf(wild), {}))).toBeLessThan(score(readRegime(rising, {})));
});

test("a missing fact is left out and not replaced", () => {
  expect(Object.keys(readRegime(rising, {})?.components ?? {})).toEqual([
    "trend",
    "slope",
    "volatility",
    "drawdown",
  ]);
});

test.each([
  [10, -1],
  [20, -0.5],
  [50, 0],
  [80, 0.5],
  [81, 1],
])("a fear & greed of %d counts as %d", (fearGreed, component) => {
  expect(readRegime(rising, { fearGreed })?.components["fear_greed"]).toBeCloseTo(component, 10);
});

test.each([
  [-0.0001, 0.5],
  [0.0001, 0.2],
  [0.0004, -0.3],
  [0.0006, -0.8],
])("a funding rate of %d counts as %d", (fundingRate, component) => {
  expect(readRegime(rising, { fundingRate })?.components["funding_rate"]).toBe(component);
});

test("every component lies within -1 and 1 and the score within 0 and 100", () => {
  for (const candles of [rising, falling, candlesOf(trend(450, 0.02, 0.5))]) {
    const regime = readRegime(candles, { fearGreed: 5, fundingRate: 0.01 });
    for (const value of Object.values(regime?.components ?? {})) {
      expect(Math.abs(value)).toBeLessThanOrEqual(1);
    }
    expect(regime?.score).toBeGreaterThanOrEqual(0);
    expect(regime?.score).toBeLessThanOrEqual(100);
  }
});

test.each([
  [39.9, "DANGEROUS"],
  [40, "NEUTRAL"],
  [60, "HEALTHY"],
  [80, "VERY_HEALTHY"],
])("a score of %d is %s", (score, name) => {
  expect(classOf(score)).toBe(name);
});
