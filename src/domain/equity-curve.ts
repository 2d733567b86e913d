import type { DecimalString } from "./decimal.ts";

export const DAY_MS = 86_400_000;
export const YEAR_MS = 365 * DAY_MS;

/** One recorded portfolio view, as far as performance is concerned. */
export interface EquityPoint {
  /** ms UTC */
  at: number;
  /** Quote currency. */
  equity: DecimalString;
  /** Quote currency; without it exposure is unknown. */
  grossExposure?: DecimalString;
  /** Deposits minus withdrawals since the point before, quote currency. */
  transferred?: DecimalString;
}

/**
 * The simple return from each point to the next, with what was deposited or withdrawn between them
 * taken out: (equity − transferred) ÷ previous equity − 1. Null with fewer than two points or when an
 * equity to divide by is not positive.
 */
export function returnsOf(points: readonly EquityPoint[]): number[] | null {
  if (points.length < 2) return null;
  const returns: number[] = [];
  let previous = Number(points[0]?.equity);
  for (const point of points.slice(1)) {
    if (!(previous > 0)) return null;
    const equity = Number(point.equity);
    returns.push((equity - Number(point.transferred ?? 0)) / previous - 1);
    previous = equity;
  }
  return returns;
}
