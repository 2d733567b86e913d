import { type Fixed, ONE, absolute, fixed, larger, multiply } from "./fixed.ts";
import type { Position } from "./portfolio.ts";

/** The fill with which a venue takes a position over. */
export interface Takeover {
  quantity: Fixed;
  price: Fixed;
  fee: Fixed;
}

/**
 * A liquidation at `price`, or at the price where the margin is used up when that is better: the venue
 * bears what a gap costs beyond it. What would be left of the margin is the venue's fee, so that an
 * account loses all that stood behind the position, and no more. `wallet`: that margin.
 */
export function takeover(position: Position, wallet: Fixed, price: Fixed): Takeover {
  const signed = fixed(position.quantity);
  const cost = fixed(position.cost);
  const quantity = absolute(signed);
  const leftAt = (at: Fixed): Fixed => {
    const notional = multiply(quantity, at);
    return wallet + (signed > 0n ? notional : -notional) - cost;
  };
  const fee = leftAt(price);
  if (fee >= 0n) return { quantity, price, fee };
  const bankrupt = larger(usedUpAt(signed, cost - wallet), 1n);
  return { quantity, price: bankrupt, fee: leftAt(bankrupt) };
}

/** signed × price = debt, rounded in favour of the account: its margin is never exceeded. */
function usedUpAt(signed: Fixed, debt: Fixed): Fixed {
  const exact = debt * ONE;
  const down = exact / signed;
  const isExact = down * signed === exact;
  return isExact || signed < 0n ? down : down + 1n;
}
