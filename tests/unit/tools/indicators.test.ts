import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { atr, bollinger, ema, macd, rsi, sma } from "#tools/indicators.ts";

const series = z.array(z.number());
const caseSchema = z.object({
  id: z.string(),
  indicator: z.string(),
  options: z
    .union([z.record(z.string(), z.number()), z.array(z.never())])
    .transform((options): Record<string, number> => (Array.isArray(options) ? {} : options)),
  inputs: z.record(z.string(), series),
  outputs: z.record(z.string(), series),
  tolerance: z.number(),
});
type KnownCase = z.infer<typeof caseSchema>;

const path = "tests/fixtures/known-answers/indicators-core.json";
const { cases } = z
  .object({ cases: z.array(caseSchema) })
  .parse(JSON.parse(readFileSync(path, "utf8")));

const computed: Record<string, (one: KnownCase) => Record<string, number[]>> = {
  atr: (one) => ({ atr: atr(barsOf(one), option(one, "period")) }),
  ema: (one) => ({ ema: ema(input(one, "real"), option(one, "period")) }),
  sma: (one) => ({ sma: sma(input(one, "real"), option(one, "period")) }),
  rsi: (one) => ({ rsi: rsi(input(one, "real"), option(one, "period")) }),
  macd: (one) => macdOf(one),
  // Half the distance between bands one deviation from the middle.
  stddev: (one) => ({
    stddev: bollinger(input(one, "real"), option(one, "period"), 1).map(
      (bands) => (bands.upper - bands.lower) / 2,
    ),
  }),
};

describe("known answers", () => {
  const used = cases.filter((one) => one.indicator in computed);

  test("there are some for every indicator", () => {
    expect(new Set(used.map((one) => one.indicator))).toEqual(new Set(Object.keys(computed)));
  });

  test.each(used)("$id", (one) => {
    const outputs = computed[one.indicator]?.(one) ?? {};
    for (const [name, expected] of Object.entries(one.outputs)) {
      const found = outputs[name]?.slice(-expected.length) ?? [];
      const errors = expected.map((value, index) => Math.abs(value - (found[index] ?? NaN)));
      expect(Math.max(...errors)).toBeLessThanOrEqual(one.tolerance);
    }
  });
});

test("the RSI of rising prices is 100, of falling prices 0", () => {
  expect(rsi(range(30), 14).at(-1)).toBe(100);
  expect(rsi(range(30).toReversed(), 14).at(-1)).toBe(0);
});

test("the RSI of a price that never moved is 50", () => {
  expect(rsi(Array(40).fill(7), 14)).toEqual(Array(26).fill(50));
});

test("the RSI turns from 50 with the first move after a flat start", () => {
  const flat = Array(20).fill(7);
  expect(rsi([...flat, 8], 14).at(-1)).toBe(100);
  expect(rsi([...flat, 6], 14).at(-1)).toBe(0);
  expect(rsi([...flat, 8], 14).at(-2)).toBe(50);
});

test("an RSI of one bar has a value from the second on", () => {
  expect(rsi([5, 6, 6, 4], 1)).toEqual([100, 50, 0]);
  expect(rsi([5], 1)).toEqual([]);
});

test("every indicator of a period of one has a value for every bar it can have one for", () => {
  const bars = [5, 6, 6, 4].map((close) => ({ high: close + 1, low: close - 1, close }));
  expect(atr(bars, 1)).toEqual([2, 2, 2, 3]);
  expect(sma([5, 6, 4], 1)).toEqual([5, 6, 4]);
  expect(ema([5, 6, 4], 1)).toEqual([5, 6, 4]);
  expect(bollinger([5, 6], 1, 2).map(({ middle }) => middle)).toEqual([5, 6]);
  expect(macd([5, 6, 4], { short: 1, long: 1, signal: 1 }).map((one) => one.macd)).toEqual([
    0, 0, 0,
  ]);
});

test("what is left of a move of long ago is neither strength nor range", () => {
  const closes = [7, 8, ...Array(399).fill(8)];
  const bars = closes.map((close) => ({ high: close, low: close, close }));
  expect(rsi(closes, 14).at(-1)).toBe(50);
  expect(atr(bars, 14).at(-1)).toBe(0);
  expect(rsi(closes.slice(0, 100), 14).at(-1)).toBe(100);
  expect(atr(bars.slice(0, 100), 14).at(-1)).toBeGreaterThan(0);
});

test("indicators that are not warm yet have no value", () => {
  expect(rsi(range(14), 14)).toEqual([]);
  expect(sma(range(4), 5)).toEqual([]);
  expect(bollinger(range(19), 20, 2)).toEqual([]);
  expect(macd(range(25), { short: 12, long: 26, signal: 9 })).toEqual([]);
  expect(ema([], 5)).toEqual([]);
});

test("Bollinger bands of a flat price lie on it", () => {
  expect(bollinger(Array(20).fill(5), 20, 2)).toEqual([{ lower: 5, middle: 5, upper: 5 }]);
});

const range = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);

const option = (one: KnownCase, name: string): number => one.options[name] ?? NaN;

const input = (one: KnownCase, name: string): number[] => one.inputs[name] ?? [];

function barsOf(one: KnownCase) {
  return input(one, "high").map((high, index) => ({
    high,
    low: input(one, "low")[index] ?? NaN,
    close: input(one, "close")[index] ?? NaN,
  }));
}

function macdOf(one: KnownCase): Record<string, number[]> {
  const periods = {
    short: option(one, "short_period"),
    long: option(one, "long_period"),
    signal: option(one, "signal_period"),
  };
  const points = macd(input(one, "real"), periods);
  return {
    macd: points.map((point) => point.macd),
    macd_signal: points.map((point) => point.signal),
    macd_histogram: points.map((point) => point.histogram),
  };
}
