import type { Candle } from "#domain/market.ts";

/** Bars looked at, and how many of them must have moved for a market to be alive. */
const RECENT_BARS = 20;
const LEAST_MOVED = 5;

/** A fraction of the price that is the noise of doubles, not a move. */
const NOISE = 1e-12;

type Range = Pick<Candle, "high" | "low" | "close">;

/** The bar's range with the gap to the close before it. */
export function trueRange({ high, low }: Range, closeBefore: number | undefined): number {
  if (closeBefore === undefined) return high - low;
  return Math.max(high, closeBefore) - Math.min(low, closeBefore);
}

/** How many of the newest 20 bars moved; null with fewer than 21 bars, when nobody can say. */
export function movedBars(bars: readonly Range[]): number | null {
  const recent = bars.slice(-RECENT_BARS - 1);
  if (recent.length <= RECENT_BARS) return null;
  return recent.filter((bar, index) => {
    const before = recent[index - 1];
    return before !== undefined && trueRange(bar, before.close) > NOISE * Math.abs(bar.close);
  }).length;
}

/**
 * Does the market stand still: did fewer than 5 of its last 20 bars move? Whatever is measured in
 * such a market (an RSI without losses, a distance in ranges that have decayed) is about nothing.
 */
export function isStill(bars: readonly Range[]): boolean {
  const moved = movedBars(bars);
  return moved !== null && moved < LEAST_MOVED;
}

/** Said of a market that stands still. */
export function stillness(bars: readonly Range[]): string {
  return `${movedBars(bars) ?? 0} of the last ${RECENT_BARS} bars moved, so there is no signal`;
}
