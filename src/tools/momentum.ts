import { clamp, round } from "./numbers.ts";
import type { TechnicalReading } from "./technical-reading.ts";

/** Strength by the number of confirmations. */
const STRENGTHS = [0.6, 0.75, 0.85, 1] as const;

const STOP_LOSS_ATR = 2;

/** What the rules say about one symbol. */
export interface MomentumReading {
  signal: "LONG" | "SHORT" | "NEUTRAL";
  /** 0, or 0.6 .. 1 with a direction. */
  strength: number;
  /** 0..1 */
  confidence: number;
  /** Distance of the stop loss from the entry, ATRs. */
  stopLossAtr: number;
  /** Reward per unit of risk: 2 for the weakest signal .. 3 for the strongest. */
  takeProfitRatio: number;
  reasons: string[];
}

interface Rule {
  holds: boolean;
  text: string;
}

/**
 * LONG needs all three: close above EMA 200, EMA 20 above EMA 60, MACD above its signal. SHORT is the
 * mirror. Confirmations raise the strength: RSI 30..70, volume above 1.5 × its mean, a close beyond
 * the extremes of the 20 bars before.
 */
export function readMomentum(reading: TechnicalReading): MomentumReading {
  const long = coreRules(reading, "LONG");
  const short = coreRules(reading, "SHORT");
  if (long.every((rule) => rule.holds)) return directed(reading, "LONG", long);
  if (short.every((rule) => rule.holds)) return directed(reading, "SHORT", short);
  return neutral(long, short);
}

function directed(
  reading: TechnicalReading,
  signal: "LONG" | "SHORT",
  core: readonly Rule[],
): MomentumReading {
  const confirmed = confirmations(reading, signal).filter((rule) => rule.holds);
  const strength = STRENGTHS[confirmed.length] ?? STRENGTHS[0];
  return {
    signal,
    strength,
    confidence: distanceFromTurning(reading),
    stopLossAtr: STOP_LOSS_ATR,
    takeProfitRatio: round(2 + (strength - 0.6) / 0.4, 3),
    reasons: [...core, ...confirmed].map((rule) => rule.text),
  };
}

/** As sure as the closer side is far from being complete. */
function neutral(long: readonly Rule[], short: readonly Rule[]): MomentumReading {
  const share = (rules: readonly Rule[]): number =>
    rules.filter((rule) => rule.holds).length / rules.length;
  return {
    signal: "NEUTRAL",
    strength: 0,
    confidence: 1 - Math.max(share(long), share(short)),
    stopLossAtr: STOP_LOSS_ATR,
    takeProfitRatio: 2,
    reasons: ["trend and momentum disagree", ...long.filter((rule) => rule.holds).map(text)],
  };
}

function coreRules(reading: TechnicalReading, side: "LONG" | "SHORT"): Rule[] {
  const sign = side === "LONG" ? 1 : -1;
  const word = side === "LONG" ? "above" : "below";
  const { close, ema20, ema60, ema200, macdHistogram } = reading;
  return [
    { holds: sign * (close - ema200) > 0, text: `price ${word} EMA 200 ${round(ema200, 2)}` },
    {
      holds: sign * (ema20 - ema60) > 0,
      text: `EMA 20 ${round(ema20, 2)} ${word} EMA 60 ${round(ema60, 2)}`,
    },
    {
      holds: sign * macdHistogram > 0,
      text: `MACD ${word} its signal by ${round(Math.abs(macdHistogram), 2)}`,
    },
  ];
}

function confirmations(reading: TechnicalReading, side: "LONG" | "SHORT"): Rule[] {
  const { close, rsi14, volume, volumeMean20, high20, low20 } = reading;
  const isBusy = volume !== null && volumeMean20 !== null && volume > 1.5 * volumeMean20;
  const broke = side === "LONG" ? close > high20 : close < low20;
  return [
    { holds: rsi14 >= 30 && rsi14 <= 70, text: `RSI ${round(rsi14, 1)} not stretched` },
    { holds: isBusy, text: "volume above 1.5 times its mean" },
    { holds: broke, text: `broke the 20-bar ${side === "LONG" ? "high" : "low"}` },
  ];
}

/**
 * 0.5 when the signal is about to turn .. 1 when price is 5, the averages 2 and the MACD histogram 0.3
 * ATRs away from it.
 */
function distanceFromTurning(reading: TechnicalReading): number {
  const { close, ema20, ema60, ema200, macdHistogram, atr14 } = reading;
  if (atr14 <= 0) return 0.5;
  const share = (distance: number, full: number): number =>
    clamp(Math.abs(distance) / atr14 / full, 0, 1);
  const total = share(close - ema200, 5) + share(ema20 - ema60, 2) + share(macdHistogram, 0.3);
  return 0.5 + total / 6;
}

const text = (rule: Rule): string => rule.text;
