import { expect, test } from "vitest";
import { readMomentum } from "#tools/momentum.ts";
import type { TechnicalReading } from "#tools/technical-reading.ts";

const LONG: TechnicalReading = {
  close: 110,
  ema20: 106,
  ema50: 103,
  ema60: 102,
  ema200: 100,
  rsi14: 75,
  macd: 2,
  macdSignal: 1.5,
  macdHistogram: 0.5,
  bollingerLower: 95,
  bollingerMiddle: 105,
  bollingerUpper: 115,
  atr14: 2,
  volume: 10,
  volumeMean20: 10,
  high20: 112,
  low20: 90,
};
const SHORT: TechnicalReading = {
  ...LONG,
  close: 90,
  ema20: 94,
  ema60: 98,
  rsi14: 25,
  macdHistogram: -0.5,
  high20: 110,
  low20: 88,
};

test("trend, averages and MACD together make a long of strength 0.6", () => {
  expect(readMomentum(LONG)).toMatchObject({
    signal: "LONG",
    strength: 0.6,
    stopLossAtr: 2,
    takeProfitRatio: 2,
  });
});

test("the mirror makes a short", () => {
  expect(readMomentum(SHORT)).toMatchObject({ signal: "SHORT", strength: 0.6 });
});

test.each([
  ["price on its EMA 200", { close: 100 }],
  ["EMA 20 on EMA 60", { ema20: 102 }],
  ["MACD on its signal", { macdHistogram: 0 }],
])("%s is no long", (_what, change) => {
  expect(readMomentum({ ...LONG, ...change })).toMatchObject({ signal: "NEUTRAL", strength: 0 });
});

test("each confirmation makes it stronger and its target wider", () => {
  const one = { ...LONG, rsi14: 60 };
  const two = { ...one, volume: 16 };
  const three = { ...two, high20: 109 };
  const found = [one, two, three].map(readMomentum);
  expect(found.map((reading) => reading.strength)).toEqual([0.75, 0.85, 1]);
  expect(found.map((reading) => reading.takeProfitRatio)).toEqual([2.375, 2.625, 3]);
});

test("a short breaks the low, not the high", () => {
  expect(readMomentum({ ...SHORT, low20: 91 }).strength).toBe(0.75);
  expect(readMomentum({ ...SHORT, high20: 80 }).strength).toBe(0.6);
});

test("volume of exactly one and a half times its mean confirms nothing", () => {
  expect(readMomentum({ ...LONG, volume: 15 }).strength).toBe(0.6);
});

test("volume that is not known confirms nothing", () => {
  expect(readMomentum({ ...LONG, volume: null, volumeMean20: null }).strength).toBe(0.6);
});

test("the further from turning, the surer", () => {
  const near = { ...LONG, close: 100.1, ema20: 102.1, macdHistogram: 0.01 };
  expect(readMomentum(near).confidence).toBeLessThan(0.55);
  expect(readMomentum({ ...LONG, close: 120, macdHistogram: 5 }).confidence).toBe(1);
  expect(readMomentum({ ...LONG, atr14: 0 }).confidence).toBe(0.5);
});
