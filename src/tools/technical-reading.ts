import type { Candle } from "#domain/market.ts";
import { atr, bollinger, ema, macd, rsi, sma } from "./indicators.ts";
import { average } from "./numbers.ts";
import { emaBars, wilderBars } from "./warm-up.ts";

/** The long trend is a simple average: it knows its 200 bars and nothing before them. */
const TREND_BARS = 200;
const BREAKOUT_BARS = 20;

/**
 * Bars a reading is made of, no more and no fewer: after so many the start of the slowest average
 * (EMA 60) has lost all but a millionth of its weight, and the same bar reads the same wherever the
 * recording begins.
 */
export const TECHNICAL_BARS = Math.max(TREND_BARS, emaBars(60), 1 + wilderBars(14));

/** Every technical number of one symbol at its newest bar; prices in quote currency. */
export type TechnicalReading = {
  close: number;
  ema20: number;
  ema50: number;
  ema60: number;
  sma200: number;
  rsi14: number;
  macd: number;
  macdSignal: number;
  macdHistogram: number;
  bollingerLower: number;
  bollingerMiddle: number;
  bollingerUpper: number;
  atr14: number;
  /** Base currency. */
  volume: number;
  /** Mean of the 20 bars up to and with the newest. */
  volumeMean20: number;
  /** Highest high and lowest low of the 20 bars before the newest. */
  high20: number;
  low20: number;
};

/** Null with fewer than `TECHNICAL_BARS` bars. */
export function readTechnicals(candles: readonly Candle[]): TechnicalReading | null {
  const bars = candles.slice(-TECHNICAL_BARS);
  const newest = bars.at(-1);
  if (newest === undefined || bars.length < TECHNICAL_BARS) return null;

  const closes = bars.map((bar) => bar.close);
  const momentum = macd(closes, { short: 12, long: 26, signal: 9 }).at(-1);
  const bands = bollinger(closes, 20, 2).at(-1);
  if (momentum === undefined || bands === undefined) return null;

  const before = bars.slice(-BREAKOUT_BARS - 1, -1);
  return {
    close: newest.close,
    ema20: last(ema(closes, 20)),
    ema50: last(ema(closes, 50)),
    ema60: last(ema(closes, 60)),
    sma200: last(sma(closes, TREND_BARS)),
    rsi14: last(rsi(closes, 14)),
    macd: momentum.macd,
    macdSignal: momentum.signal,
    macdHistogram: momentum.histogram,
    bollingerLower: bands.lower,
    bollingerMiddle: bands.middle,
    bollingerUpper: bands.upper,
    atr14: last(atr(bars, 14)),
    volume: newest.volume,
    volumeMean20: average(bars.slice(-20).map((bar) => bar.volume)),
    high20: Math.max(...before.map((bar) => bar.high)),
    low20: Math.min(...before.map((bar) => bar.low)),
  };
}

const last = (values: readonly number[]): number => values.at(-1) ?? NaN;
