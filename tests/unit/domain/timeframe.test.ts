import { expect, test } from "vitest";
import { isFinerThanData, newsEveryMs, timeframeMs } from "#domain/timeframe.ts";

const MINUTE = 60_000;
const steps: Readonly<Record<string, number>> = { "BTC/USDT": 60 * MINUTE, "ETH/USDT": MINUTE };
const feed = { symbols: Object.keys(steps), stepMs: (symbol: string) => steps[symbol] ?? null };
const bare = { symbols: ["BTC/USDT"], stepMs: () => null };

test("a template's timeframe is its period", () => {
  expect(timeframeMs({ periodMinutes: 15 })).toBe(15 * MINUTE);
});

test("something new is seen as often as the finest of the symbols has a bar", () => {
  expect(newsEveryMs(["BTC/USDT"], feed)).toBe(60 * MINUTE);
  expect(newsEveryMs(["BTC/USDT", "ETH/USDT"], feed)).toBe(MINUTE);
});

test("of symbols without data it is as often as of anything else, so that nobody is held up", () => {
  expect(newsEveryMs(["SOL/USDT"], feed)).toBe(MINUTE);
});

test("a feed without bars may have news at any time", () => {
  expect(newsEveryMs(["BTC/USDT"], bare)).toBeNull();
  expect(isFinerThanData({ periodMinutes: 1, symbols: ["BTC/USDT"] }, bare)).toBe(false);
});

test("a period shorter than the bars is finer than its data, one as long is not", () => {
  const symbols = ["BTC/USDT"];
  expect(isFinerThanData({ periodMinutes: 59, symbols }, feed)).toBe(true);
  expect(isFinerThanData({ periodMinutes: 60, symbols }, feed)).toBe(false);
});
