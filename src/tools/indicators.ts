import { ATR, BollingerBands, EMA, MACD, SMA, WSMA } from "trading-signals";
import type { BandsResult, HighLowClose, MACDResult } from "trading-signals";
import { trueRange } from "./movement.ts";
import { wilderMemory } from "./warm-up.ts";

// Every function returns its values oldest first; the last belongs to the newest input, and inputs
// before the indicator is warm have none.

/** Simple moving average. @public for long trends and regimes */
export function sma(values: readonly number[], period: number): number[] {
  return new SMA(period).updates(values).filter((value) => value !== null);
}

/** Exponential moving average, started at the first value; `emaBars` says when that no longer shows. */
export function ema(values: readonly number[], period: number): number[] {
  const indicator = new EMA(period);
  return values.map((value) => indicator.update(value, false));
}

/**
 * Relative strength index with Wilder's smoothing, 0..100; 50 where nothing has moved within the
 * memory of its averages: what is left of an older move is no strength.
 */
export function rsi(closes: readonly number[], period: number): number[] {
  const [gains, losses] = [new WSMA(period), new WSMA(period)];
  const memory = wilderMemory(period);
  let unmoved = Infinity;
  return closes.slice(1).flatMap((close, index) => {
    const change = close - (closes[index] ?? close);
    unmoved = change === 0 ? unmoved + 1 : 0;
    const gain = gains.update(Math.max(change, 0), false);
    const loss = losses.update(Math.max(-change, 0), false);
    if (gain === null || loss === null) return [];
    return [unmoved >= memory ? 50 : 100 - 100 / (1 + gain / loss)];
  });
}

/**
 * Average true range with Wilder's smoothing, quote currency; 0 where nothing has moved within the
 * memory of its average.
 */
export function atr(bars: readonly HighLowClose[], period: number): number[] {
  const average = new ATR(period);
  const memory = wilderMemory(period);
  let unmoved = Infinity;
  return bars.flatMap((bar, index) => {
    unmoved = trueRange(bar, bars[index - 1]?.close) === 0 ? unmoved + 1 : 0;
    const value = average.update(bar, false);
    if (value === null) return [];
    return [unmoved >= memory ? 0 : value];
  });
}

/** Moving average convergence/divergence: two EMAs' difference, its EMA, and the gap between both. */
export function macd(
  closes: readonly number[],
  periods: { short: number; long: number; signal: number },
): MACDResult[] {
  const { short, long, signal } = periods;
  return new MACD(new EMA(short), new EMA(long), new EMA(signal))
    .updates(closes)
    .filter((value) => value !== null);
}

/** Bollinger bands: moving average ± `deviations` population standard deviations. */
export function bollinger(
  closes: readonly number[],
  period: number,
  deviations: number,
): BandsResult[] {
  return new BollingerBands(period, deviations).updates(closes).filter((value) => value !== null);
}
