import { ATR, BollingerBands, EMA, MACD, RSI, SMA } from "trading-signals";
import type { BandsResult, HighLowClose, MACDResult } from "trading-signals";

// Every function returns its values oldest first; the last belongs to the newest input, and inputs
// before the indicator is warm have none.

/** Simple moving average. @public for long trends and regimes */
export function sma(values: readonly number[], period: number): number[] {
  return new SMA(period).updates(values).filter((value) => value !== null);
}

/** Exponential moving average, started at the first value: settled after a few periods. */
export function ema(values: readonly number[], period: number): number[] {
  const indicator = new EMA(period);
  return values.map((value) => indicator.update(value, false));
}

/** Relative strength index with Wilder's smoothing, 0..100; 50 while the price has never moved. */
export function rsi(closes: readonly number[], period: number): number[] {
  const moved = closes.findIndex((close) => close !== closes[0]);
  return new RSI(period)
    .updates(closes)
    .map((value, index) => (moved === -1 || index < moved ? neutralIfWarm(value) : value))
    .filter((value) => value !== null);
}

/** Average true range with Wilder's smoothing, quote currency. */
export function atr(bars: readonly HighLowClose[], period: number): number[] {
  return new ATR(period).updates(bars).filter((value) => value !== null);
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

// Without any loss the library says 100, also when there was no gain either.
const neutralIfWarm = (value: number | null): number | null => (value === null ? null : 50);
