import type { Candle } from "#domain/market.ts";
import { ema, sma } from "./indicators.ts";
import { isStill } from "./movement.ts";
import { clamp, deviation, logReturns } from "./numbers.ts";
import { normaliseIndicator } from "./regime-indicators.ts";
import { emaBars } from "./warm-up.ts";

const TREND_BARS = 200;

/** Bars the regime is read from, no more and no fewer, as for a technical reading. */
export const REGIME_BARS = Math.max(TREND_BARS, emaBars(60));

const SHORT = 20;
const LONG = 100;

const WEIGHTS: Readonly<Record<string, number>> = {
  trend: 0.3,
  slope: 0.2,
  volatility: 0.2,
  drawdown: 0.15,
  fear_greed: 0.1,
  funding_rate: 0.05,
};

/** Facts beside the candles; a missing one is left out and the others count for more. */
export interface RegimeFacts {
  /** 0 (fear) .. 100 (greed). */
  fearGreed?: number;
  /** Latest funding rate, fraction of the notional. */
  fundingRate?: number;
}

export type Regime = {
  /** 0 (dangerous) .. 100 (very healthy). */
  score: number;
  classification: RegimeClass;
  /** −1 (bad) .. 1 (good) by indicator. */
  components: Record<string, number>;
  /** Deviation of the log returns of the last 20 bars, fraction per bar. */
  realizedVolatility: number;
  /** The market stands still: its candles say nothing, whatever the facts say. */
  still: boolean;
};

export type RegimeClass = "DANGEROUS" | "NEUTRAL" | "HEALTHY" | "VERY_HEALTHY";

/**
 * How healthy the market is for holding the asset; null with fewer than `REGIME_BARS` bars, unless it
 * stands still, which is seen in the newest ones. With σ20 and σ100 the deviations of the log returns of the last 20 and 100 bars, each held within −1..1:
 *
 * - trend (weight .30) = ln(close / SMA 200) / (σ100 · √100): above the long trend is good
 * - slope (.20) = 2 · ln(EMA 20 / EMA 60) / (σ100 · √20): the middle trend rises
 * - volatility (.20) = 2 · (1 − σ20/σ100): calmer than usual is good
 * - drawdown (.15) = 1 − 2 · ln(highest close of 100 bars / close) / (σ100 · √100)
 * - fear_greed (.10), funding_rate (.05): as `normaliseIndicator` scales them
 *
 * score = 50 · (1 + weighted mean of the components there are).
 */
export function readRegime(candles: readonly Candle[], facts: RegimeFacts): Regime | null {
  const still = isStill(candles);
  const bars = candles.slice(-REGIME_BARS);
  if (!still && bars.length < REGIME_BARS) return null;
  const closes = bars.map((bar) => bar.close);
  const returns = logReturns(closes);
  const recent = deviation(returns.slice(-SHORT));
  const usual = still ? 0 : deviation(returns.slice(-LONG));
  const components = {
    ...candleComponents(closes, { recent, usual }),
    ...factComponents(facts),
  };
  const score = 50 * (1 + weightedMean(components));
  return { score, classification: classOf(score), components, realizedVolatility: recent, still };
}

/** <40 dangerous, <60 neutral, <80 healthy, else very healthy. */
export function classOf(score: number): RegimeClass {
  if (score < 40) return "DANGEROUS";
  if (score < 60) return "NEUTRAL";
  return score < 80 ? "HEALTHY" : "VERY_HEALTHY";
}

function candleComponents(
  closes: readonly number[],
  volatility: { recent: number; usual: number },
): Record<string, number> {
  const { recent, usual } = volatility;
  const close = closes.at(-1) ?? NaN;
  // A price that does not move at all has no direction and no risk to measure.
  if (usual === 0) return { trend: 0, slope: 0, volatility: 0, drawdown: 0 };
  const average = (period: number): number => ema(closes, period).at(-1) ?? NaN;
  const fall = Math.log(Math.max(...closes.slice(-LONG)) / close);
  return {
    trend: unit(
      Math.log(close / (sma(closes, TREND_BARS).at(-1) ?? NaN)) / (usual * Math.sqrt(LONG)),
    ),
    slope: unit((2 * Math.log(average(20) / average(60))) / (usual * Math.sqrt(SHORT))),
    volatility: unit(2 * (1 - recent / usual)),
    drawdown: unit(1 - (2 * fall) / (usual * Math.sqrt(LONG))),
  };
}

function factComponents({ fearGreed, fundingRate }: RegimeFacts): Record<string, number> {
  return {
    ...(fearGreed === undefined ? {} : { fear_greed: normaliseIndicator("fear_greed", fearGreed) }),
    ...(fundingRate === undefined
      ? {}
      : { funding_rate: normaliseIndicator("funding_rate", fundingRate) }),
  };
}

function weightedMean(components: Record<string, number>): number {
  let [sum, weights] = [0, 0];
  for (const [name, value] of Object.entries(components)) {
    const weight = WEIGHTS[name] ?? 0;
    sum += value * weight;
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}

const unit = (value: number): number => clamp(value, -1, 1);
