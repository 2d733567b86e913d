import { Decimal, type DecimalString, SCALE, toScale } from "./decimal.ts";
import { InvalidInputError } from "./errors.ts";

/**
 * A decimal of 18 places as an integer: 1.5 is 1_500_000_000_000_000_000n. Sums are exact, products
 * and quotients are rounded half to even at the storage scale, and it costs a fraction of a `Decimal`:
 * the ledger and all that stands on it run in these, for every strategy at every tick.
 */
export type Fixed = bigint;

const PLAIN = /^-?\d+(\.\d+)?$/;
const NUMERIC = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const POWERS = Array.from({ length: SCALE + 1 }, (_, exponent) => 10n ** BigInt(exponent));

export const ONE: Fixed = 10n ** BigInt(SCALE);

/** Null where the text is not a number. */
export function parseFixed(text: DecimalString): Fixed | null {
  if (text === "0") return 0n;
  if (PLAIN.test(text)) return parsePlain(text);
  if (!NUMERIC.test(text)) return null;
  return parsePlain(toScale(new Decimal(text)).toFixed());
}

/** @throws InvalidInputError (INVALID_INPUT) where the text is not a number. */
export function fixed(text: DecimalString): Fixed {
  const value = parseFixed(text);
  if (value !== null) return value;
  throw new InvalidInputError("INVALID_INPUT", `expected a decimal number, was "${text}"`);
}

/** Of a rate or a leverage; money never is a double. */
export function fixedOf(value: number): Fixed {
  return fixed(String(value));
}

/** Plain notation without trailing zeros, as `toDecimalString` writes it. */
export function fixedString(value: Fixed): DecimalString {
  if (value === 0n) return "0";
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(SCALE + 1, "0");
  const point = digits.length - SCALE;
  let end = digits.length;
  while (end > point && digits.charCodeAt(end - 1) === 48) end--;
  const text =
    end === point
      ? digits.slice(0, point)
      : `${digits.slice(0, point)}.${digits.slice(point, end)}`;
  return negative ? `-${text}` : text;
}

export function multiply(left: Fixed, right: Fixed): Fixed {
  return divideRounded(left * right, ONE);
}

export function divide(left: Fixed, right: Fixed): Fixed {
  return divideRounded(left * ONE, right);
}

/** `value × part ÷ whole`, rounded once. */
export function share(value: Fixed, part: Fixed, whole: Fixed): Fixed {
  return divideRounded(value * part, whole);
}

/** Half to even, as everything here. */
export function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = 2n * absolute(numerator - quotient * denominator);
  const limit = absolute(denominator);
  if (twice < limit || (twice === limit && quotient % 2n === 0n)) return quotient;
  return numerator < 0n === denominator < 0n ? quotient + 1n : quotient - 1n;
}

/** Towards zero; both ≥ 0 where it is used, so it never gives more than there is. */
export function divideDown(left: Fixed, right: Fixed): Fixed {
  return (left * ONE) / right;
}

/** Away from zero for values ≥ 0: never less than what is owed. */
export function multiplyUp(left: Fixed, right: Fixed): Fixed {
  return (left * right + ONE - 1n) / ONE;
}

export function absolute(value: Fixed): Fixed {
  return value < 0n ? -value : value;
}

export function smaller(left: Fixed, right: Fixed): Fixed {
  return left < right ? left : right;
}

export function larger(left: Fixed, right: Fixed): Fixed {
  return left > right ? left : right;
}

function parsePlain(text: string): Fixed {
  const point = text.indexOf(".");
  if (point === -1) return BigInt(text) * ONE;
  const digits = BigInt(text.slice(0, point) + text.slice(point + 1));
  const missing = SCALE - (text.length - point - 1);
  if (missing < 0) return divideRounded(digits, 10n ** BigInt(-missing));
  return digits * (POWERS[missing] ?? 1n);
}
