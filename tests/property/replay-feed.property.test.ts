import fc from "fast-check";
import { expect, test } from "vitest";
import type { Candle } from "#domain/market.ts";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import { seriesOf } from "#support/candles.ts";

const STEP = 60_000;
const SYMBOL = "X/Y";

// Bars with outages between them, each with its own price.
const recordings = fc
  .array(
    fc.record({
      gapSteps: fc.integer({ min: 0, max: 4 }),
      close: fc.integer({ min: 10, max: 1000 }),
      below: fc.integer({ min: 0, max: 9 }),
      above: fc.integer({ min: 0, max: 9 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((bars) => {
    let openAt = 0;
    return bars.map(({ gapSteps, close, below, above }): Candle => {
      openAt += gapSteps * STEP;
      const bar = {
        openAt,
        closeAt: openAt + STEP,
        open: close,
        high: close + above,
        low: close - below,
        close,
        volume: 1,
      };
      openAt += STEP;
      return bar;
    });
  });
const instants = fc.integer({ min: -STEP, max: 210 * STEP });

test("the feed never shows a bar before it closed", async () => {
  await fc.assert(
    fc.asyncProperty(recordings, instants, fc.nat(50), async (candles, at, count) => {
      const shown = await feedOf(candles).candles(SYMBOL, at, count);
      const closed = candles.filter((bar) => bar.closeAt <= at);
      expect(shown).toEqual(count === 0 ? [] : closed.slice(-count));
    }),
  );
});

test("a quote is made of closed bars only", async () => {
  await fc.assert(
    fc.asyncProperty(recordings, instants, instants, async (candles, one, other) => {
      const [since, at] = [Math.min(one, other), Math.max(one, other)];
      const quote = await feedOf(candles).quote(SYMBOL, at, since);
      const closed = candles.filter((bar) => bar.closeAt <= at);
      const newest = closed.at(-1);
      if (newest === undefined) {
        expect(quote).toBeNull();
        return;
      }
      const covered = closed.filter((bar) => bar.closeAt > since);
      expect(quote).toMatchObject({
        price: String(newest.close),
        at: newest.closeAt,
        quality: at - newest.closeAt > 2 * STEP ? "stale" : "fresh",
        low: String(Math.min(newest.close, ...covered.map((bar) => bar.low))),
        high: String(Math.max(newest.close, ...covered.map((bar) => bar.high))),
      });
    }),
  );
});

test("what comes later in the recording changes nothing of what is shown now", async () => {
  await fc.assert(
    fc.asyncProperty(recordings, instants, async (candles, at) => {
      const past = candles.filter((bar) => bar.closeAt <= at);
      fc.pre(past.length > 0);
      const [whole, cut] = [feedOf(candles), feedOf(past)];
      expect(await whole.quote(SYMBOL, at, 0)).toEqual(await cut.quote(SYMBOL, at, 0));
    }),
  );
});

const feedOf = (candles: Candle[]) =>
  createReplayFeed({ series: [seriesOf(candles, { symbol: SYMBOL, stepMs: STEP })] });
