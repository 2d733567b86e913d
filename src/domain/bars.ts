import { decimal, toDecimalString } from "./decimal.ts";
import type { Bar, Candle } from "./market.ts";

/** A snapshot is stored with every tick: a day of minutes must not make it a megabyte. */
const MOST_BARS = 60;

/**
 * Candles, oldest first, as the bars of a snapshot. More than sixty are merged in equal runs: what
 * happened inside a merged bar is judged as inside any other, to the strategy's disadvantage.
 */
export function barsOf(candles: readonly Candle[]): Bar[] {
  const run = Math.ceil(candles.length / MOST_BARS);
  const bars: Bar[] = [];
  // From the newest back, so that the last bar is never a short one.
  for (let end = candles.length; end > 0; end -= run) {
    const bar = merged(candles.slice(Math.max(0, end - run), end));
    if (bar !== null) bars.push(bar);
  }
  return bars.toReversed();
}

function merged(candles: readonly Candle[]): Bar | null {
  const [first] = candles;
  const last = candles.at(-1);
  if (first === undefined || last === undefined) return null;
  return {
    openAt: first.openAt,
    closeAt: last.closeAt,
    open: text(first.open),
    high: text(Math.max(...candles.map(({ high }) => high))),
    low: text(Math.min(...candles.map(({ low }) => low))),
    close: text(last.close),
    volume: volumeOf(candles),
  };
}

function volumeOf(candles: readonly Candle[]): string | null {
  let sum = decimal(0);
  for (const { volume } of candles) {
    if (volume === null) return null;
    sum = sum.plus(volume);
  }
  return toDecimalString(sum);
}

const text = (value: number): string => toDecimalString(decimal(value));
