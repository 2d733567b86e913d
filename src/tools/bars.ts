import type { Candle } from "#domain/market.ts";
import type { BarRequest, MarketFeed } from "#ports/market-feed.ts";

/**
 * Up to `count` bars of the timeframe that closed at or before `at`, oldest first, built from the
 * feed's finer ones. Where the feed's own bars are as long or longer, they are the bars.
 */
export async function barsOf(
  feed: Pick<MarketFeed, "candles" | "stepMs">,
  request: BarRequest,
): Promise<Candle[]> {
  const { at, count, symbol, timeframeMs } = request;
  const stepMs = feed.stepMs(symbol);
  if (stepMs === null || stepMs >= timeframeMs) return feed.candles(symbol, at, count);
  // One more, for the oldest may be cut off, and one that has not closed yet.
  const needed = (count + 2) * Math.ceil(timeframeMs / stepMs);
  return aggregate(await feed.candles(symbol, at, needed), { timeframeMs, at }).slice(-count);
}

/**
 * Bars of `timeframeMs` from finer ones. A bar belongs to the span in which it closes; spans begin at
 * multiples of the timeframe since 1970 UTC. A span counts once it is over at `at`, and only if its
 * beginning is known: the first one may be cut off by the start of the recording. A span without a
 * bar stays a gap.
 */
export function aggregate(
  candles: readonly Candle[],
  { timeframeMs, at }: { timeframeMs: number; at: number },
): Candle[] {
  const bars: Candle[] = [];
  let whole: Candle | null = null;
  for (const candle of candles) {
    const closeAt = Math.ceil(candle.closeAt / timeframeMs) * timeframeMs;
    if (closeAt > at) break;
    if (whole === null || whole.closeAt !== closeAt) {
      whole = { ...candle, openAt: closeAt - timeframeMs, closeAt };
      bars.push(whole);
    } else {
      extend(whole, candle);
    }
  }
  return isCutOff(candles[0], bars[0]) ? bars.slice(1) : bars;
}

function extend(whole: Candle, { close, high, low, volume }: Candle): void {
  whole.high = Math.max(whole.high, high);
  whole.low = Math.min(whole.low, low);
  whole.close = close;
  whole.volume += volume;
}

function isCutOff(first: Candle | undefined, whole: Candle | undefined): boolean {
  return first !== undefined && whole !== undefined && first.openAt > whole.openAt;
}
