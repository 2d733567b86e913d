import type { Candle } from "#domain/market.ts";
import { atr, bollinger, ema, macd, rsi } from "./indicators.ts";
import { average } from "./numbers.ts";

/** Bars before the slowest indicator (EMA 200) is warm. */
export const TECHNICAL_BARS = 200;

const BREAKOUT_BARS = 20;

/** Every technical number of one symbol at its newest bar; prices in quote currency. */
export type TechnicalReading = {
  close: number;
  ema20: number;
  ema50: number;
  ema60: number;
  ema200: number;
  rsi14: number;
  macd: number;
  macdSignal: number;
  macdHistogram: number;
  bollingerLower: number;
  bollingerMiddle: number;
  bollingerUpper: number;
  atr14: number;
  /** Base currency; null: not known. */
  volume: number | null;
  /** Mean of the 20 bars up to and with the newest; null when one of them is not known. */
  volumeMean20: number | null;
  /** Highest high and lowest low of the 20 bars before the newest. */
  high20: number;
  low20: number;
};

/** Null with fewer than `TECHNICAL_BARS` bars. */
export function readTechnicals(candles: readonly Candle[]): TechnicalReading | null {
  const newest = candles.at(-1);
  if (newest === undefined || candles.length < TECHNICAL_BARS) return null;

  const closes = candles.map((bar) => bar.close);
  const momentum = macd(closes, { short: 12, long: 26, signal: 9 }).at(-1);
  const bands = bollinger(closes, 20, 2).at(-1);
  if (momentum === undefined || bands === undefined) return null;

  const before = candles.slice(-BREAKOUT_BARS - 1, -1);
  return {
    close: newest.close,
    ema20: last(ema(closes, 20)),
    ema50: last(ema(closes, 50)),
    ema60: last(ema(closes, 60)),
    ema200: last(ema(closes, 200)),
    rsi14: last(rsi(closes, 14)),
    macd: momentum.macd,
    macdSignal: momentum.signal,
    macdHistogram: momentum.histogram,
    bollingerLower: bands.lower,
    bollingerMiddle: bands.middle,
    bollingerUpper: bands.upper,
    atr14: last(atr(candles, 14)),
    volume: newest.volume,
    volumeMean20: averageVolume(candles.slice(-20)),
    high20: Math.max(...before.map((bar) => bar.high)),
    low20: Math.min(...before.map((bar) => bar.low)),
  };
}

function averageVolume(bars: readonly Candle[]): number | null {
  const volumes = bars.map((bar) => bar.volume).filter((volume) => volume !== null);
  return volumes.length === bars.length ? average(volumes) : null;
}

const last = (values: readonly number[]): number => values.at(-1) ?? NaN;
