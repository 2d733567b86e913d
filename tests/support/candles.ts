import { Bars } from "#adapters/candles/bars.ts";
import type { CandleSeries } from "#adapters/candles/candle-file.ts";
import type { Candle } from "#domain/market.ts";

export const STEP_MS = 3_600_000;

/** Bars of one hour from the epoch on, each spread 1 % around its close. */
export function candlesOf(closes: readonly number[]): Candle[] {
  return closes.map((close, index) => ({
    openAt: index * STEP_MS,
    closeAt: (index + 1) * STEP_MS,
    open: close,
    high: close * 1.005,
    low: close * 0.995,
    close,
    volume: 10,
  }));
}

/** `length` closes from 100 that grow by `growth` a bar, swinging by `swing` with a period of 8 bars. */
export function trend(length: number, growth: number, swing = 0.01): number[] {
  return Array.from(
    { length },
    (_, index) => 100 * (1 + growth) ** index * (1 + swing * Math.sin((index * Math.PI) / 4)),
  );
}

/** Bars as a file of one step would have given them. */
export function seriesOf(
  candles: readonly Candle[],
  options: Partial<CandleSeries> & { stepMs?: number } = {},
): CandleSeries {
  const { stepMs = STEP_MS, ...rest } = options;
  const bars = new Bars();
  for (const candle of candles) bars.push({ ...candle, volume: candle.volume ?? NaN });
  const step = { unit: "ms", size: stepMs } as const;
  const known = { file: "x.csv", symbol: "X/Y", step, knowsVolume: true, gaps: 0 };
  return { ...known, bars: bars.data, ...rest };
}
