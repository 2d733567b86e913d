import { expect, test } from "vitest";
import type { Candle } from "#domain/market.ts";
import { observeMarket } from "#tools/observe-market.ts";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import { STEP_MS, candlesOf, seriesOf, trend } from "#support/candles.ts";

const DAY_MS = 24 * STEP_MS;
const BTC = "BTC/USDT";

test("a snapshot has the quotes there are, by symbol, and leaves the others out", async () => {
  const feed = feedOf(candlesOf([10, 20]));
  const snapshot = await observeMarket({ feed, symbols: [BTC, "ETH/USDT"], ...tick(2) });
  expect(Object.keys(snapshot.quotes)).toEqual([BTC]);
  expect(snapshot).toMatchObject({ at: 2 * STEP_MS, quotes: { [BTC]: { price: "20" } } });
});

test("with too little history there are no facts", async () => {
  const feed = feedOf(candlesOf([10, 20]));
  expect((await observeMarket({ feed, symbols: [BTC], ...tick(2) })).facts).toEqual({});
});

test("the change over 24 hours compares with the bar that closed 24 hours before", async () => {
  const closes = Array.from({ length: 30 }, (_, index) => 100 + index);
  const feed = feedOf(candlesOf(closes));
  const { facts } = await observeMarket({ feed, symbols: [BTC], ...tick(30) });
  expect(facts.change24hPct).toEqual({
    value: (129 / 105 - 1) * 100,
    source: "replay:x.csv",
    at: 30 * STEP_MS,
    derived: true,
  });
});

test("on daily bars the change is from the bar before", async () => {
  const feed = feedOf(daily([100, 90]), DAY_MS);
  const observation = { feed, symbols: [BTC], at: 2 * DAY_MS, since: DAY_MS };
  expect((await observeMarket(observation)).facts.change24hPct?.value).toBeCloseTo(-10, 10);
});

test("without a bar near 24 hours before there is no change", async () => {
  const [first, , ...rest] = candlesOf(Array(30).fill(10));
  const gap = rest.filter((bar) => bar.closeAt < 4 * STEP_MS || bar.closeAt > 8 * STEP_MS);
  const feed = feedOf([...(first === undefined ? [] : [first]), ...gap]);
  const changeAt = async (index: number) =>
    (await observeMarket({ feed, symbols: [BTC], ...tick(index) })).facts.change24hPct;
  expect(await changeAt(30)).toBeUndefined();
  expect(await changeAt(27)).toBeDefined();
});

test("fear & greed is derived from the first symbol's candles", async () => {
  const feed = feedOf(candlesOf(trend(100, 0)));
  const { facts } = await observeMarket({ feed, symbols: [BTC], ...tick(100) });
  expect(facts.fearGreed).toMatchObject({
    source: "fear-greed of replay:x.csv",
    at: 100 * STEP_MS,
    derived: true,
  });
  expect(facts).not.toHaveProperty("dollarIndex");
});

test("a stale price has no facts about it", async () => {
  const feed = feedOf(candlesOf(trend(100, 0)));
  const snapshot = await observeMarket({ feed, symbols: [BTC], ...tick(103) });
  expect(snapshot.quotes[BTC]?.quality).toBe("stale");
  expect(snapshot.facts).toEqual({});
});

test("funding since the tick before is there, oldest first, for every symbol", async () => {
  const candles = candlesOf([10, 11, 12]);
  const pay = (symbol: string, ...at: number[]) => ({
    file: "x-funding.csv",
    symbol,
    payments: at.map((index) => ({ at: index * STEP_MS, rate: 0.0001 })),
  });
  const feed = createReplayFeed({
    series: [BTC, "ETH/USDT"].map((symbol) => seriesOf(candles, { symbol })),
    funding: [pay(BTC, 1, 3), pay("ETH/USDT", 2)],
  });
  const { funding } = await observeMarket({
    feed,
    symbols: [BTC, "ETH/USDT"],
    at: 3 * STEP_MS,
    since: STEP_MS,
  });
  expect(funding.map((event) => [event.symbol, event.markPrice])).toEqual([
    ["ETH/USDT", "11"],
    [BTC, "12"],
  ]);
});

test("a snapshot cannot be changed at any depth", async () => {
  const snapshot = await observeMarket({
    feed: feedOf(candlesOf(trend(100, 0))),
    symbols: [BTC],
    ...tick(100),
  });
  expect(Object.isFrozen(snapshot)).toBe(true);
  expect(Object.isFrozen(snapshot.quotes[BTC])).toBe(true);
  expect(Object.isFrozen(snapshot.facts.fearGreed)).toBe(true);
});

const tick = (index: number) => ({ at: index * STEP_MS, since: (index - 1) * STEP_MS });

function feedOf(candles: Candle[], stepMs = STEP_MS) {
  return createReplayFeed({ series: [seriesOf(candles, { symbol: BTC, stepMs })] });
}

const daily = (closes: number[]): Candle[] =>
  candlesOf(closes).map((bar, index) => ({
    ...bar,
    openAt: index * DAY_MS,
    closeAt: (index + 1) * DAY_MS,
  }));
