/** What the regime is judged by. `null` or absent: not known. */
export interface RegimeIndicators {
  /** US dollar index. */
  dxy?: number | null;
  /** Percent a year. */
  fed_rate?: number | null;
  /** 0 (fear) .. 100 (greed) */
  fear_greed?: number | null;
  /** Fraction per funding period, 0.0001 is 0.01 %. */
  funding_rate?: number | null;
  /** Change over 24 hours, percent. */
  open_interest?: number | null;
  /** Perpetual over spot, percent. */
  futures_premium?: number | null;
  /** Z-score of market value over realised value. */
  mvrv?: number | null;
}

export type RegimeClass = "DANGEROUS" | "NEUTRAL" | "HEALTHY" | "VERY_HEALTHY";

export interface RegimeScore {
  /** 0 (dangerous) .. 100 (very healthy) */
  score: number;
  classification: RegimeClass;
  riskLevel: "LOW" | "MEDIUM" | "HIGH";
  /** A coarse position multiplier for people; decisions use `regimeMultiplier`. */
  recommendedMultiplier: number;
  /** Each indicator on −1 (bad) .. 1 (good). */
  components: Record<string, number>;
  /** Share of the full judgement that was available, 0..1. */
  coverage: number;
}

type Indicator = keyof RegimeIndicators;

const WEIGHTS: Readonly<Record<Indicator, number>> = {
  dxy: 0.05,
  fed_rate: 0.05,
  fear_greed: 0.2,
  funding_rate: 0.15,
  open_interest: 0.1,
  futures_premium: 0.15,
  mvrv: 0.05,
};

/** Flows into exchange-traded funds have a weight but no source; its constant only serves to compare. */
const ETF_FLOW_WEIGHT = 0.25;
const ETF_FLOW_PLACEHOLDER = 0.3;

const NORMALISE: Readonly<Record<Indicator, (value: number) => number>> = {
  dxy: normaliseDollar,
  fed_rate: (rate) => (rate < 3 ? 0.8 : rate > 5 ? -0.8 : 0),
  fear_greed: normaliseFear,
  funding_rate: normaliseFunding,
  open_interest: normaliseOpenInterest,
  futures_premium: normalisePremium,
  mvrv: normaliseMvrv,
};

const INDICATORS: readonly Indicator[] = [
  "dxy",
  "fed_rate",
  "fear_greed",
  "funding_rate",
  "open_interest",
  "futures_premium",
  "mvrv",
];

/**
 * The regime from the indicators that are known: `(clamp(Σ w·n / Σ w, −1, 1) + 1) · 50` over those
 * present. Null when none is.
 */
export function scoreRegime(indicators: RegimeIndicators): RegimeScore | null {
  const components: Record<string, number> = {};
  let sum = 0;
  let weight = 0;
  for (const name of INDICATORS) {
    const value = indicators[name];
    if (typeof value !== "number" || !Number.isFinite(value)) continue;
    const component = NORMALISE[name](value);
    components[name] = component;
    sum += component * WEIGHTS[name];
    weight += WEIGHTS[name];
  }
  return weight === 0 ? null : toScore(sum / weight, components, weight);
}

/**
 * The same rules as the system they come from: whatever is missing (and an MVRV of 0) is taken as
 * neutral and fund flows as a constant. Only for comparing with its answers: it invents data (I11).
 */
export function scoreRegimeWithPlaceholders(indicators: RegimeIndicators): RegimeScore {
  const components: Record<string, number> = { etf_flow: ETF_FLOW_PLACEHOLDER };
  let sum = ETF_FLOW_PLACEHOLDER * ETF_FLOW_WEIGHT;
  for (const name of INDICATORS) {
    const component = normaliseWithPlaceholder(name, indicators[name] ?? null);
    components[name] = component;
    sum += component * WEIGHTS[name];
  }
  return toScore(sum, components, 1);
}

/** <40 dangerous, <60 neutral, <80 healthy, else very healthy. */
export function classifyRegime(score: number): RegimeClass {
  if (score < 40) return "DANGEROUS";
  if (score < 60) return "NEUTRAL";
  return score < 80 ? "HEALTHY" : "VERY_HEALTHY";
}

/** <30 high, <70 medium, else low: the risk of the market, not of a trade. */
export function regimeRisk(score: number): RegimeScore["riskLevel"] {
  if (score < 30) return "HIGH";
  return score < 70 ? "MEDIUM" : "LOW";
}

export function recommendedMultiplier(score: number): number {
  if (score < 20) return 0.3;
  if (score < 40) return 0.6;
  if (score < 60) return 1;
  return score < 80 ? 1.3 : 1.6;
}

function toScore(
  balance: number,
  components: Record<string, number>,
  coverage: number,
): RegimeScore {
  const score = (Math.min(1, Math.max(-1, balance)) + 1) * 50;
  return {
    score,
    classification: classifyRegime(score),
    riskLevel: regimeRisk(score),
    recommendedMultiplier: recommendedMultiplier(score),
    components,
    coverage,
  };
}

function normaliseWithPlaceholder(name: Indicator, value: number | null): number {
  if (name === "mvrv" && value === 0) return 0;
  if (value !== null) return NORMALISE[name](value);
  return name === "funding_rate" ? NORMALISE.funding_rate(0) : 0;
}

function normaliseDollar(index: number): number {
  if (index < 100) return Math.min((100 - index) / 10, 1);
  return index > 110 ? Math.max((110 - index) / 10, -1) : 0;
}

function normaliseFear(index: number): number {
  if (index < 20) return -1;
  return index > 80 ? 1 : (index - 50) / 60;
}

function normaliseFunding(rate: number): number {
  if (rate < 0) return 0.5;
  if (rate > 0.0005) return -0.8;
  return rate > 0.0003 ? -0.3 : 0.2;
}

function normaliseOpenInterest(changePct: number): number {
  if (changePct > 15) return -0.5;
  if (changePct > 5) return 0.3;
  return changePct < -15 ? -0.7 : 0;
}

function normalisePremium(pct: number): number {
  if (pct < -0.5) return -0.8;
  if (pct > 2) return -0.5;
  return pct > 0.2 ? 0.6 : 0;
}

function normaliseMvrv(zScore: number): number {
  if (zScore > 7) return -1;
  if (zScore > 3) return -0.3;
  return zScore < 1 ? 1 : 0.3;
}
