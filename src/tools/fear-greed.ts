import type { Candle, MarketFact } from "#domain/market.ts";
import { isStill } from "./movement.ts";
import { average, clamp, deviation, logReturns } from "./numbers.ts";

const LONG = 90;
const SHORT = 30;

/** Bars the index needs: 90 changes of price. */
export const FEAR_GREED_BARS = LONG + 1;

/** The index with its three parts, each 0 (fear) .. 100 (greed). */
export interface FearGreed {
  /** Whole number. */
  value: number;
  volatility: number;
  momentum: number;
  drawdown: number;
  /** Close of the newest bar, ms UTC. */
  at: number;
}

/**
 * A fear & greed index derived from prices alone; null with fewer than `FEAR_GREED_BARS` bars.
 * With σ30 and σ90 the deviations of the log returns of the last 30 and 90 bars:
 *
 * - volatility = 100 − 50 · σ30/σ90 (a market twice as wild as usual is all fear)
 * - momentum = 50 + 25 · ln(close / close 30 bars ago) / (σ90 · √30)
 * - drawdown = 100 − 50 · ln(highest close of 90 bars / close) / (σ90 · √90)
 *
 * each held within 0..100, all 50 in a market that stands still; index = 0.3 · volatility + 0.4 · momentum + 0.3 · drawdown. Measured in
 * the market's own volatility, it means the same on daily bars and on minutes.
 */
export function deriveFearGreed(candles: readonly Candle[]): FearGreed | null {
  const bars = candles.slice(-FEAR_GREED_BARS);
  const newest = bars.at(-1);
  if (newest === undefined || bars.length < FEAR_GREED_BARS) return null;

  const closes = bars.map((bar) => bar.close);
  const returns = logReturns(closes);
  const usual = deviation(returns);
  if (usual === 0 || isStill(bars))
    return { value: 50, volatility: 50, momentum: 50, drawdown: 50, at: newest.closeAt };

  const gain = average(returns.slice(-SHORT)) * SHORT;
  const fall = Math.log(Math.max(...closes) / newest.close);
  const volatility = clamp(100 - (50 * deviation(returns.slice(-SHORT))) / usual, 0, 100);
  const momentum = clamp(50 + (25 * gain) / (usual * Math.sqrt(SHORT)), 0, 100);
  const drawdown = clamp(100 - (50 * fall) / (usual * Math.sqrt(LONG)), 0, 100);
  const value = Math.round(0.3 * volatility + 0.4 * momentum + 0.3 * drawdown);
  return { value, volatility, momentum, drawdown, at: newest.closeAt };
}

/** The index as a market fact, marked as derived from the candles of `source`. */
export function fearGreedFact(candles: readonly Candle[], source: string): MarketFact | null {
  const index = deriveFearGreed(candles);
  if (index === null) return null;
  return { value: index.value, source: `fear-greed of ${source}`, at: index.at, derived: true };
}
