/** Published facts a regime may be judged by, beside the candles. */
export type RegimeIndicator =
  /** US dollar index. */
  | "dxy"
  /** Percent a year. */
  | "fed_rate"
  /** 0 (fear) .. 100 (greed). */
  | "fear_greed"
  /** Fraction of the notional per funding period, 0.0001 is 0.01 %. */
  | "funding_rate"
  /** Change over 24 hours, percent. */
  | "open_interest"
  /** Perpetual over spot, percent. */
  | "futures_premium"
  /** Z-score of market value over realised value. */
  | "mvrv";

const NORMALISE: Readonly<Record<RegimeIndicator, (value: number) => number>> = {
  dxy: normaliseDollar,
  fed_rate: (rate) => (rate < 3 ? 0.8 : rate > 5 ? -0.8 : 0),
  fear_greed: normaliseFear,
  funding_rate: normaliseFunding,
  open_interest: normaliseOpenInterest,
  futures_premium: normalisePremium,
  mvrv: normaliseMvrv,
};

/** An indicator on the scale −1 (bad for holding the asset) .. 1 (good). */
export function normaliseIndicator(indicator: RegimeIndicator, value: number): number {
  return NORMALISE[indicator](value);
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
