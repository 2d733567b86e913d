import type { DecimalString } from "./decimal.ts";
import { type Fixed, parseFixed } from "./fixed.ts";
import type { Quote } from "./market.ts";

/** The quote's last price, or null where there is none that could be a price (I11). */
export function usablePrice(quote: Quote | undefined): Fixed | null {
  return quote === undefined ? null : positivePrice(quote.price);
}

/** As `usablePrice`, but only from a quote that is fresh: what new exposure may be opened on. */
export function freshPrice(quote: Quote | undefined): Fixed | null {
  return quote?.quality === "fresh" ? positivePrice(quote.price) : null;
}

/** A price of zero, below zero or not a number is no price. */
export function positivePrice(text: DecimalString): Fixed | null {
  const price = parseFixed(text);
  return price !== null && price > 0n ? price : null;
}
