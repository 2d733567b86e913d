import { barsOf } from "#domain/bars.ts";
import { candlesOf, STEP_MS } from "#support/candles.ts";
import { expect, test } from "vitest";

test("few candles are the bars themselves", () => {
  const bars = barsOf(candlesOf([10, 20]));
  expect(bars).toMatchObject([
    { openAt: 0, closeAt: STEP_MS, open: "10", close: "10", volume: "10" },
    { openAt: STEP_MS, closeAt: 2 * STEP_MS, open: "20", low: "19.9" },
  ]);
  expect(barsOf([])).toEqual([]);
});

test("a day of minutes is merged: nothing of its range, its volume or its end is lost", () => {
  const candles = candlesOf(Array.from({ length: 1441 }, (_, minute) => 100 + (minute % 7)));
  const bars = barsOf(candles);
  expect(bars.length).toBeLessThanOrEqual(60);
  expect(bars[0]?.openAt).toBe(0);
  expect(bars.at(-1)).toMatchObject({ closeAt: 1441 * STEP_MS, close: "105" });
  for (const [index, { openAt }] of bars.entries()) {
    if (index > 0) expect(openAt).toBe(bars[index - 1]?.closeAt);
  }
  expect(Math.max(...bars.map(({ high }) => Number(high)))).toBeCloseTo(106 * 1.005, 10);
  expect(Math.min(...bars.map(({ low }) => Number(low)))).toBeCloseTo(99.5, 10);
  expect(bars.reduce((sum, { volume }) => sum + Number(volume), 0)).toBe(14_410);
});

test("a merged bar of which one volume is not known has no known volume", () => {
  const candles = candlesOf(Array(120).fill(10));
  const [first, ...rest] = candles;
  if (first === undefined) throw new Error("no candles");
  const bars = barsOf([{ ...first, volume: null }, ...rest]);
  expect(bars.map(({ volume }) => volume).slice(0, 2)).toEqual([null, "20"]);
});
