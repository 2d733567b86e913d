import { Decimal as DecimalJs } from "decimal.js";

/**
 * The one decimal type of the product: 60 significant digits, so that sums and products of
 * `numeric(38,18)` values are exact; only division rounds.
 */
export const Decimal = DecimalJs.clone({ precision: 60, rounding: DecimalJs.ROUND_HALF_EVEN });
export type Decimal = DecimalJs;

/** A decimal number written out in plain notation, as stored and sent over the API. */
export type DecimalString = string;

/** Decimals kept in storage (`numeric(38,18)`). */
export const SCALE = 18;

export const ZERO: Decimal = new Decimal(0);

export function decimal(value: DecimalString | number | Decimal): Decimal {
  return new Decimal(value);
}

/** Rounds to the storage scale, so that what memory holds equals what the database returns. */
export function toScale(value: Decimal): Decimal {
  return value.toDecimalPlaces(SCALE, DecimalJs.ROUND_HALF_EVEN);
}

/** Plain notation without exponent or trailing zeros: `0.1`, never `1e-1`. */
export function toDecimalString(value: Decimal): DecimalString {
  return toScale(value).toFixed();
}
