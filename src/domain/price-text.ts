import { decimal, type DecimalString } from "./decimal.ts";

/** Digits of a price that are shown: a tick of the finest instruments is about a millionth of their price. */
const SIGNIFICANT_DIGITS = 6;
const LEAST_DECIMALS = 2;

/**
 * A price in words: six significant digits and never fewer than two decimals, in plain notation and
 * without trailing zeros (`43210.5`, `1.08345`, `0.0000119`). What is measured in prices (a moving
 * average, a range) is shown with the digits of the price `like`. Only zero is ever shown as 0.
 */
export function priceText(
  value: number | DecimalString,
  like: number | DecimalString = value,
): string {
  const amount = decimal(value);
  if (!amount.isFinite() || amount.isZero()) return amount.isZero() ? "0" : amount.toString();
  const shown = amount.toDecimalPlaces(decimalsOf(like));
  return (shown.isZero() ? amount.toSignificantDigits(2) : shown).toFixed();
}

function decimalsOf(price: number | DecimalString): number {
  const scale = decimal(price);
  if (!scale.isFinite() || scale.isZero()) return LEAST_DECIMALS;
  return Math.max(LEAST_DECIMALS, SIGNIFICANT_DIGITS - 1 - scale.e);
}
