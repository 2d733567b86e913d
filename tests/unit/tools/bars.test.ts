import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import type { Candle } from "#domain/market.ts";
import { aggregate, barsOf } from "#tools/bars.ts";

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const BTC = "BTC/USDT";

describe("bars of a longer timeframe", () => {
  test("open with the first, close with the last, span both extremes and sum the volume", () => {
    const [first, second] = [
      { ...bar(0, 10), high: 14, low: 9, close: 12 },
      { ...bar(1, 12), high: 13, low: 7, close: 11 },
    ];
    expect(aggregate([first, second], { timeframeMs: 2 * MINUTE, at: 2 * MINUTE })).toEqual([
      { openAt: 0, closeAt: 2 * MINUTE, open: 10, high: 14, low: 7, close: 11, volume: 2 },
    ]);
  });

  test("a span that is not over does not count", () => {
    const bars = minutes(0, 19);
    expect(closesAt(aggregate(bars, { timeframeMs: 10 * MINUTE, at: 19 * MINUTE }))).toEqual([10]);
    expect(closesAt(aggregate(bars, { timeframeMs: 10 * MINUTE, at: 20 * MINUTE }))).toEqual([
      10, 20,
    ]);
  });

  test("the first span does not count where its beginning is not recorded", () => {
    const bars = minutes(3, 20);
    expect(closesAt(aggregate(bars, { timeframeMs: 10 * MINUTE, at: 20 * MINUTE }))).toEqual([20]);
  });

  test("a span without a bar stays a gap, one with some bars is made of those", () => {
    const bars = [...minutes(0, 10), ...minutes(25, 27), ...minutes(30, 40)];
    const found = aggregate(bars, { timeframeMs: 10 * MINUTE, at: 40 * MINUTE });
    expect(closesAt(found)).toEqual([10, 30, 40]);
    expect(found[1]).toMatchObject({ openAt: 20 * MINUTE, open: 25, close: 26, volume: 2 });
  });

  test("days begin at midnight UTC, summer time or not", () => {
    const start = Date.UTC(2024, 2, 30, 12);
    const hours = Array.from({ length: 72 }, (_, index) => hour(start + index * 60 * MINUTE));
    const days = aggregate(hours, { timeframeMs: DAY, at: start + 72 * 60 * MINUTE });
    expect(days.map(({ openAt }) => new Date(openAt).toISOString())).toEqual([
      "2024-03-31T00:00:00.000Z",
      "2024-04-01T00:00:00.000Z",
    ]);
  });

  test("bars that do not divide it belong to the span in which they close", () => {
    const bars = Array.from({ length: 4 }, (_, index) => span(index * 45, (index + 1) * 45));
    const found = aggregate(bars, { timeframeMs: 60 * MINUTE, at: 180 * MINUTE });
    expect(found.map(({ close, closeAt }) => [closeAt / MINUTE, close])).toEqual([
      [60, 0],
      [120, 45],
      [180, 135],
    ]);
  });
});

describe("a template's bars", () => {
  test("are the feed's own where those are as long or longer", async () => {
    const feed = feedOf(minutes(0, 30));
    const request = { symbol: BTC, at: 30 * MINUTE, count: 3, timeframeMs: MINUTE };
    expect(await barsOf(feed, request)).toEqual(minutes(27, 30));
    expect(await barsOf(feed, { ...request, timeframeMs: MINUTE / 2 })).toEqual(minutes(27, 30));
  });

  test("are the same wherever the recording begins, or not there yet", async () => {
    const at = 600 * MINUTE;
    const gone = fc.uniqueArray(fc.integer({ min: 0, max: 599 }), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(gone, fc.integer({ min: 0, max: 590 }), async (missing, from) => {
        const all = minutes(0, 600).filter(({ openAt }) => !missing.includes(openAt / MINUTE));
        const request = { symbol: BTC, at, count: 15, timeframeMs: 10 * MINUTE };
        const whole = await barsOf(feedOf(all), request);
        const cut = await barsOf(feedOf(all.filter((one) => one.openAt >= from * MINUTE)), request);
        expect(whole.slice(whole.length - cut.length)).toEqual(cut);
        expect(cut.length).toBeGreaterThanOrEqual(
          Math.min(15, Math.floor((600 - from) / 10) - 1) - missing.length / 10,
        );
      }),
      { numRuns: 50 },
    );
  });

  test("of a symbol without bars are none", async () => {
    const request = { symbol: "ETH/USDT", at: DAY, count: 3, timeframeMs: DAY };
    expect(await barsOf(feedOf(minutes(0, 3)), request)).toEqual([]);
  });
});

function feedOf(candles: Candle[]) {
  return createReplayFeed({ series: [{ file: "x.csv", symbol: BTC, stepMs: MINUTE, candles }] });
}

function minutes(from: number, to: number): Candle[] {
  return Array.from({ length: to - from }, (_, index) => bar(from + index, from + index));
}

const bar = (minute: number, price: number): Candle => ({
  ...span(minute, minute + 1),
  open: price,
  high: price,
  low: price,
  close: price,
});

function span(from: number, to: number): Candle {
  const prices = { open: from, high: from, low: from, close: from };
  return { openAt: from * MINUTE, closeAt: to * MINUTE, ...prices, volume: 1 };
}

const hour = (openAt: number): Candle => ({
  ...span(0, 60),
  openAt,
  closeAt: openAt + 60 * MINUTE,
});

const closesAt = (bars: readonly Candle[]): number[] => bars.map(({ closeAt }) => closeAt / MINUTE);
