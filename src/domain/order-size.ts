import { decimal, Decimal, toDecimalString, ZERO, type DecimalString } from "./decimal.ts";
import type { InstrumentRules } from "./trading.ts";

/** What one purchase may be worth, as fractions of the portfolio's value. */
export interface PurchaseRange {
  smallest: number;
  largest: number;
}

/** `some`: a strategy's smaller purchases leave no order at this balance; `all`: not one can. */
export type TooSmall = "none" | "some" | "all";

export interface OrderSizes {
  tooSmall: TooSmall;
  /** What a venue takes at the least, quote currency. */
  smallestOrder: DecimalString;
  smallestPurchase: DecimalString;
  largestPurchase: DecimalString;
  /** Balances from which on some and all purchases are large enough. */
  balanceForSome: DecimalString;
  balanceForAll: DecimalString;
}

/**
 * Purchases of a strategy worth `balance` against the least value its venue takes. Of several symbols
 * the most lenient counts. Steps of quantity are left out: what they are worth is known at a price only.
 */
export function orderSizes(
  balance: DecimalString,
  { smallest, largest }: PurchaseRange,
  rules: readonly Pick<InstrumentRules, "minNotional">[],
): OrderSizes {
  const least = rules.map(({ minNotional }) => decimal(minNotional ?? "0"));
  const smallestOrder = least.length === 0 ? ZERO : Decimal.min(...least);
  const purchases = {
    smallest: decimal(balance).times(smallest),
    largest: decimal(balance).times(largest),
  };
  return {
    tooSmall: verdict(smallestOrder, purchases),
    smallestOrder: toDecimalString(smallestOrder),
    smallestPurchase: toDecimalString(purchases.smallest),
    largestPurchase: toDecimalString(purchases.largest),
    balanceForSome: toDecimalString(smallestOrder.div(largest)),
    balanceForAll: toDecimalString(smallestOrder.div(smallest)),
  };
}

function verdict(
  smallestOrder: Decimal,
  { largest, smallest }: { largest: Decimal; smallest: Decimal },
): TooSmall {
  if (largest.lessThan(smallestOrder)) return "all";
  return smallest.lessThan(smallestOrder) ? "some" : "none";
}
