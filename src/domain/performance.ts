import { type Drawdown, maxDrawdown } from "./drawdown.ts";
import { DAY_MS, type EquityPoint, YEAR_MS, returnsOf } from "./equity-curve.ts";
import { type RoundTripLeg, roundTrips } from "./round-trip.ts";

/** Fractions, never percent; null where there is not enough to say. */
export interface Performance {
  /** Time-weighted, so deposits and withdrawals are neither profit nor loss. */
  totalReturn: number | null;
  annualisedReturn: number | null;
  sharpe: number | null;
  sortino: number | null;
  maxDrawdown: Drawdown | null;
  /** Gross exposure ÷ equity, averaged over time. */
  exposure: number | null;
  trades: TradeStatistics;
}

/** Over round trips that ended; money in quote currency. */
export interface TradeStatistics {
  closed: number;
  wins: number;
  losses: number;
  /** wins ÷ (wins + losses) */
  winRate: number | null;
  /** Σ profits ÷ Σ losses; null without a loss. */
  profitFactor: number | null;
  /** Mean result of a trade. */
  expectancy: number | null;
  /** Expectancy ÷ mean loss; null without a loss. */
  expectancyRatio: number | null;
}

/** `points` and `legs` oldest first, both from the start. */
export function performanceOf(
  points: readonly EquityPoint[],
  legs: readonly RoundTripLeg[],
): Performance {
  return {
    totalReturn: totalReturn(points),
    annualisedReturn: annualisedReturn(points),
    sharpe: sharpeRatio(points),
    sortino: sortinoRatio(points),
    maxDrawdown: maxDrawdown(points),
    exposure: meanExposure(points),
    trades: tradeStatistics(roundTrips(legs).map(Number)),
  };
}

/** Π (1 + rᵢ) − 1 over the returns between points, transfers taken out. */
export function totalReturn(points: readonly EquityPoint[]): number | null {
  const returns = returnsOf(points);
  return returns === null ? null : returns.reduce((growth, one) => growth * (1 + one), 1) - 1;
}

/** (1 + total return)^(365 days ÷ duration) − 1; null before 30 days, where it says nothing. */
export function annualisedReturn(points: readonly EquityPoint[]): number | null {
  const total = totalReturn(points);
  const duration = durationOf(points);
  if (total === null || duration < 30 * DAY_MS) return null;
  return total <= -1 ? -1 : (1 + total) ** (YEAR_MS / duration) - 1;
}

/**
 * (mean − risk-free) ÷ sample standard deviation of the returns between points, × √(periods per
 * year). `riskFreeRate`: per year. Null with fewer than 3 points or no variation.
 */
export function sharpeRatio(points: readonly EquityPoint[], riskFreeRate = 0): number | null {
  return annualisedRatio(points, riskFreeRate, (excess, mean) => {
    const squares = excess.reduce((sum, one) => sum + (one - mean) ** 2, 0);
    return Math.sqrt(squares / (excess.length - 1));
  });
}

/**
 * As Sharpe, but over the downside deviation √(Σ min(0, rᵢ − risk-free)² ÷ n) (Sortino and van der
 * Meer, 1991). Null without a losing period.
 */
export function sortinoRatio(points: readonly EquityPoint[], riskFreeRate = 0): number | null {
  return annualisedRatio(points, riskFreeRate, (excess) => {
    const squares = excess.reduce((sum, one) => sum + Math.min(0, one) ** 2, 0);
    return Math.sqrt(squares / excess.length);
  });
}

/** `results`: realized PnL per closed trade, quote currency. */
export function tradeStatistics(results: readonly number[]): TradeStatistics {
  const profits = results.filter((one) => one > 0);
  const losses = results.filter((one) => one < 0);
  const lost = -sum(losses);
  const expectancy = results.length === 0 ? null : sum(results) / results.length;
  const decided = profits.length + losses.length;
  return {
    closed: results.length,
    wins: profits.length,
    losses: losses.length,
    winRate: decided === 0 ? null : profits.length / decided,
    profitFactor: lost === 0 ? null : sum(profits) / lost,
    expectancy,
    expectancyRatio: lost === 0 || expectancy === null ? null : expectancy / (lost / losses.length),
  };
}

/** Gross exposure ÷ equity, each weighted with the time until the next point. */
export function meanExposure(points: readonly EquityPoint[]): number | null {
  const duration = durationOf(points);
  if (duration <= 0) return null;
  let weighted = 0;
  for (const [index, point] of points.entries()) {
    const next = points[index + 1];
    const equity = Number(point.equity);
    if (next === undefined) break;
    if (point.grossExposure === undefined || equity <= 0) return null;
    weighted += (Number(point.grossExposure) / equity) * (next.at - point.at);
  }
  return weighted / duration;
}

function annualisedRatio(
  points: readonly EquityPoint[],
  riskFreeRate: number,
  deviationOf: (excess: readonly number[], mean: number) => number,
): number | null {
  const returns = returnsOf(points);
  const duration = durationOf(points);
  if (returns === null || returns.length < 2 || duration <= 0) return null;
  const periodsPerYear = (returns.length * YEAR_MS) / duration;
  const excess = returns.map((one) => one - riskFreeRate / periodsPerYear);
  const mean = sum(excess) / excess.length;
  const deviation = deviationOf(excess, mean);
  // Below this it is rounding noise of equal returns, not variation.
  return deviation < 1e-12 ? null : (mean / deviation) * Math.sqrt(periodsPerYear);
}

function durationOf(points: readonly EquityPoint[]): number {
  return (points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
