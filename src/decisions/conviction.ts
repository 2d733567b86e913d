import { InvalidInputError } from "#domain/errors.ts";

/** One agent's say: score −100..100 (beyond is clamped), weight 0..1. */
export interface WeightedScore {
  agent: string;
  score: number;
  weight: number;
}

/** What dampens a conviction. `null`: not known, so it dampens nothing. */
export interface RiskFacts {
  /** 0 (fear) .. 100 (greed) */
  fearGreed: number | null;
  /** Percent, `-3.2` is −3.2 %. */
  change24hPct: number | null;
  dollarIndex: number | null;
}

export interface RiskFactors {
  fearGreed: number;
  volatility: number;
  dollarIndex: number;
}

export interface Conviction {
  /** 0 (sell) .. 100 (buy), 50 is neutral. */
  score: number;
  /** Σ score · weight, −100..100. */
  raw: number;
  /** raw · riskFactor */
  adjusted: number;
  /** Product of the factors, ≤ 1. */
  riskFactor: number;
  factors: RiskFactors;
  /** score · weight, by agent. */
  contributions: Record<string, number>;
}

/**
 * `clamp((Σ score·weight · f_fear · f_volatility · f_dollar + 100) / 2, 0, 100)`, summed in the
 * order given. The factors pull towards 50 from both sides. Throws INVALID_INPUT on a number that
 * is not finite.
 */
export function calculateConviction(
  scores: readonly WeightedScore[],
  facts: RiskFacts,
): Conviction {
  const contributions: Record<string, number> = {};
  let raw = 0;
  for (const { agent, score, weight } of scores) {
    const contribution =
      clamp(finite(score, `score of ${agent}`), -100, 100) * finite(weight, `weight of ${agent}`);
    contributions[agent] = contribution;
    raw += contribution;
  }
  const factors = riskFactors(facts);
  const riskFactor = factors.fearGreed * factors.volatility * factors.dollarIndex;
  const adjusted = raw * riskFactor;
  const score = clamp((adjusted + 100) / 2, 0, 100);
  return { score, raw, adjusted, riskFactor, factors, contributions };
}

/** Throws INVALID_INPUT unless the value is a finite number. */
export function finite(value: number, name: string): number {
  if (Number.isFinite(value)) return value;
  throw new InvalidInputError("INVALID_INPUT", `expected a finite ${name}, was ${value}`, {
    fields: [{ field: name, message: `expected a finite number, was ${value}` }],
  });
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function riskFactors(facts: RiskFacts): RiskFactors {
  return {
    fearGreed: known(facts.fearGreed, "fear & greed index", fearGreedFactor),
    volatility: known(facts.change24hPct, "24 h change", volatilityFactor),
    dollarIndex: known(facts.dollarIndex, "dollar index", dollarFactor),
  };
}

function known(value: number | null, name: string, factor: (value: number) => number): number {
  return value === null ? 1 : factor(finite(value, name));
}

function fearGreedFactor(value: number): number {
  if (value < 20) return 0.7;
  return value > 80 ? 0.8 : 1;
}

function volatilityFactor(changePct: number): number {
  const size = Math.abs(changePct);
  if (size > 10) return 0.75;
  return size > 5 ? 0.9 : 1;
}

function dollarFactor(value: number): number {
  return value > 110 ? 0.85 : 1;
}
