import { type Fixed, ONE, multiply } from "./fixed.ts";
import type { LiquidationModel } from "./perpetual.ts";

/** What a paper venue takes off a trader's fills, and how it liquidates. */
export interface PaperTerms {
  /** Fraction of notional, paid in quote currency on both sides. */
  feeRate: Fixed;
  /** Fraction by which a fill is worse than the price it is made at. */
  slippage: Fixed;
  /** Most of a bar's volume that one strategy gets, fraction; null: all it asks for. */
  volumeShare: Fixed | null;
  /** Null on spot. */
  liquidation: LiquidationModel | null;
  /** How long after a funding payment an opening still pays it. */
  fundingGraceMs: number;
}

/** `price` made worse for the one who trades at it. */
export function slipped(price: Fixed, buys: boolean, { slippage }: PaperTerms): Fixed {
  return multiply(price, buys ? ONE + slippage : ONE - slippage);
}
