import { type Fixed, divide, multiply, smaller } from "./fixed.ts";

/**
 * Fee on an amount: rate × amount, in the amount's currency (notional: quote; quantity: base). A
 * negative rate is a maker's rebate.
 * @public for the costs of live orders
 */
export function feeOn(amount: Fixed, rate: Fixed): Fixed {
  return multiply(amount, rate);
}

export interface VolumeShare {
  /** Quote currency. */
  price: Fixed;
  /** Base currency, > 0. */
  quantity: Fixed;
  /** Quantity traded in the bar, base currency. */
  barVolume: Fixed;
  /** Largest share of the bar that counts, fraction. */
  volumeLimit: Fixed;
  /** How strongly the share moves the price, fraction. */
  priceImpact: Fixed;
}

/**
 * Slippage per unit in quote currency: price × impact × share², share = min(quantity ÷ volume, limit)
 * (QuantConnect Lean's VolumeShareSlippageModel). Without volume the share is the limit.
 * @public for costs estimated before an order
 */
export function volumeShareSlippage(trade: VolumeShare): Fixed {
  const { price, quantity, barVolume, volumeLimit, priceImpact } = trade;
  const part = barVolume > 0n ? smaller(divide(quantity, barVolume), volumeLimit) : volumeLimit;
  return multiply(multiply(price, priceImpact), multiply(part, part));
}
