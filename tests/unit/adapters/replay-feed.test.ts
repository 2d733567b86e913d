import { expect, test } from "vitest";
import type { Candle } from "#domain/market.ts";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import type { ReplaySeries } from "#adapters/replay-feed.ts";

const STEP = 60_000;

test("a quote is the close of the newest bar that has closed", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10), bar(1, 20)])] });
  expect(await feed.quote("X/Y", 2 * STEP - 1, 0)).toMatchObject({ price: "10", at: STEP });
  expect(await feed.quote("X/Y", 2 * STEP, STEP)).toEqual({
    symbol: "X/Y",
    price: "20",
    at: 2 * STEP,
    quality: "fresh",
    source: "replay:x.csv",
    low: "19",
    high: "21",
    barVolume: "7",
    bars: [
      {
        openAt: STEP,
        closeAt: 2 * STEP,
        open: "20",
        high: "21",
        low: "19",
        close: "20",
        volume: "7",
      },
    ],
  });
});

test("before the first bar closed there is no price", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10)])] });
  expect(await feed.quote("X/Y", STEP - 1, 0)).toBeNull();
  expect(await feed.candles("X/Y", STEP - 1, 5)).toEqual([]);
});

test("a symbol it does not know has no price, no bars and no funding", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10)])] });
  expect(await feed.quote("A/B", STEP, 0)).toBeNull();
  expect(await feed.candles("A/B", STEP, 5)).toEqual([]);
  expect(await feed.funding("A/B", 0, STEP)).toEqual([]);
});

test("a price gets stale when it is older than two steps", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10)])] });
  expect(await feed.quote("X/Y", 3 * STEP, 0)).toMatchObject({ quality: "fresh" });
  expect(await feed.quote("X/Y", 3 * STEP + 1, 0)).toMatchObject({ quality: "stale", at: STEP });
});

test("low and high cover the bars closed since the tick before", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 50), bar(1, 10), bar(2, 30)])] });
  expect(await feed.quote("X/Y", 3 * STEP, STEP)).toMatchObject({ low: "9", high: "31" });
  expect(await feed.quote("X/Y", 3 * STEP, 0)).toMatchObject({ low: "9", high: "51" });
});

test("a volume that is not known stays so", async () => {
  const feed = createReplayFeed({ series: [series([{ ...bar(0, 10), volume: null }])] });
  expect(await feed.quote("X/Y", STEP, 0)).toMatchObject({ barVolume: null });
});

test("it says the step of each symbol it has", () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10)])] });
  expect(feed.stepMs("X/Y")).toBe(STEP);
  expect(feed.stepMs("A/B")).toBeNull();
});

test("the bars closed since the tick before come with the quote, each once", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 50), bar(1, 10), bar(2, 30)])] });
  const closes = async (at: number, since: number) =>
    (await feed.quote("X/Y", at, since))?.bars?.map(({ close }) => close);
  expect(await closes(3 * STEP, STEP)).toEqual(["10", "30"]);
  expect(await closes(3 * STEP, 3 * STEP)).toEqual([]);
  expect(await closes(3 * STEP - 1, 0)).toEqual(["50", "10"]);
});

test("when no bar closed since the tick before, low and high are the last close", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 10)])] });
  expect(await feed.quote("X/Y", STEP + 5, STEP)).toMatchObject({ low: "10", high: "10" });
});

test("bars come oldest first, no more than asked for", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 1), bar(1, 2), bar(2, 3)])] });
  const closes = async (count: number) =>
    (await feed.candles("X/Y", 3 * STEP, count)).map((candle) => candle.close);
  expect(await closes(2)).toEqual([2, 3]);
  expect(await closes(9)).toEqual([1, 2, 3]);
  expect(await closes(0)).toEqual([]);
});

test("changing the list of bars it gave out changes nothing for others", async () => {
  const feed = createReplayFeed({ series: [series([bar(0, 1), bar(1, 2)])] });
  (await feed.candles("X/Y", 2 * STEP, 2)).reverse();
  expect((await feed.candles("X/Y", 2 * STEP, 2)).map((candle) => candle.close)).toEqual([1, 2]);
});

test("a gap between two files stays a gap, and each quote names its file", async () => {
  const feed = createReplayFeed({
    series: [series([bar(9, 90)], { file: "later.csv" }), series([bar(0, 10)])],
  });
  expect(await feed.quote("X/Y", 9 * STEP, 0)).toMatchObject({
    price: "10",
    quality: "stale",
    source: "replay:x.csv",
  });
  expect(await feed.quote("X/Y", 10 * STEP, 0)).toMatchObject({ source: "replay:later.csv" });
});

test("overlapping files of one symbol are refused", () => {
  const both = [series([bar(0, 1), bar(1, 1)]), series([bar(1, 2)], { file: "again.csv" })];
  expect(() => createReplayFeed({ series: both })).toThrow("again.csv: overlaps x.csv");
});

test("files of one symbol with different steps are refused", () => {
  const both = [series([bar(0, 1)]), series([bar(5, 2)], { file: "slow.csv", stepMs: 2 * STEP })];
  expect(() => createReplayFeed({ series: both })).toThrow(
    expect.objectContaining({ code: "INVALID_DATA_FILE" }),
  );
});

test("the range goes from the first close to the last of any symbol", () => {
  const feed = createReplayFeed({
    series: [series([bar(3, 1)]), series([bar(0, 1), bar(1, 1)], { symbol: "A/B" })],
  });
  expect(feed.range).toEqual({ from: STEP, to: 4 * STEP });
  expect(createReplayFeed({ series: [] }).range).toBeNull();
});

test("funding is paid after the tick before and up to this one, at the price of its time", async () => {
  const feed = createReplayFeed({
    series: [series([bar(0, 10), bar(1, 20)])],
    funding: [
      {
        symbol: "X/Y",
        payments: [
          { at: STEP, rate: 0.0001 },
          { at: 2 * STEP, rate: -0.000_000_1 },
        ],
      },
    ],
  });
  expect(await feed.funding("X/Y", STEP, 2 * STEP)).toEqual([
    { symbol: "X/Y", at: 2 * STEP, rate: "-0.0000001", markPrice: "20" },
  ]);
  expect(await feed.funding("X/Y", 0, STEP)).toMatchObject([{ at: STEP, markPrice: "10" }]);
});

test("funding without a fresh price at its time is left out", async () => {
  const payments = [
    { at: 1, rate: 0.1 },
    { at: 50 * STEP, rate: 0.1 },
  ];
  const feed = createReplayFeed({
    series: [series([bar(0, 10)])],
    funding: [{ symbol: "X/Y", payments }],
  });
  expect(await feed.funding("X/Y", 0, 100 * STEP)).toEqual([]);
});

function series(candles: Candle[], options: Partial<ReplaySeries> = {}): ReplaySeries {
  return { file: "x.csv", symbol: "X/Y", stepMs: STEP, candles, ...options };
}

function bar(index: number, close: number): Candle {
  const openAt = index * STEP;
  return {
    openAt,
    closeAt: openAt + STEP,
    open: close,
    high: close + 1,
    low: close - 1,
    close,
    volume: 7,
  };
}
