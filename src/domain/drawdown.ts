import type { EquityPoint } from "./equity-curve.ts";

export interface Drawdown {
  /** Of the peak; null when the peak was not above zero. */
  fraction: number | null;
  /** Quote currency. */
  amount: number;
  /** Index of the point it falls from (the latest of equal peaks) and of its lowest point. */
  peakIndex: number;
  troughIndex: number;
}

/**
 * The deepest fall from an earlier peak: by `fraction` of the peak (ours, also the ledger's), or by
 * `amount`. Measured from the first point on, so a curve that only falls counts in full. Transfers are
 * taken out by measuring each point as if they had not happened. Null with fewer than two points.
 */
export function maxDrawdown(
  points: readonly EquityPoint[],
  by: "fraction" | "amount" = "fraction",
): Drawdown | null {
  const equities = withoutTransfers(points);
  const first = equities[0];
  if (first === undefined || equities.length < 2) return null;
  let peak = { equity: first, index: 0 };
  let deepest: Drawdown = {
    fraction: first > 0 ? 0 : null,
    amount: 0,
    peakIndex: 0,
    troughIndex: 0,
  };
  for (const [index, equity] of equities.entries()) {
    if (equity >= peak.equity) peak = { equity, index };
    const amount = peak.equity - equity;
    const fraction = peak.equity > 0 ? amount / peak.equity : null;
    const fall = { fraction, amount, peakIndex: peak.index, troughIndex: index };
    if (depth(fall, by) > depth(deepest, by)) deepest = fall;
  }
  return deepest;
}

function depth(fall: Drawdown, by: "fraction" | "amount"): number {
  return by === "amount" ? fall.amount : (fall.fraction ?? 0);
}

/** Later points scaled as if nothing had been deposited or withdrawn, so fractions stay comparable. */
function withoutTransfers(points: readonly EquityPoint[]): number[] {
  let scale = 1;
  let previous = 0;
  return points.map((point) => {
    const equity = Number(point.equity);
    const transferred = Number(point.transferred ?? 0);
    const before = equity - transferred;
    if (transferred !== 0 && previous > 0 && equity > 0) scale *= before / equity;
    previous = equity;
    return equity * scale;
  });
}
