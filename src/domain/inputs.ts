// The one place where a text, an id or an amount that somebody sends is checked and brought into the
// form it is stored in. Every input of the API is made of these.
import { decimal, SCALE, toDecimalString, type DecimalString } from "./decimal.ts";
import { quoted } from "./quote.ts";
import { z } from "./zod-words.ts";

const CONTROL = /\p{Cc}/u;
/** What a text of several lines may have of them. */
const LAYOUT = /[\t\n\r]/g;

/** One line, trimmed. */
export function lineInput(most: number, least = 1) {
  return z
    .string()
    .trim()
    .min(least)
    .max(most)
    .refine((text) => !CONTROL.test(text), {
      error: "expected one line without control characters",
    });
}

/** Lines of text. */
export function textInput(most: number) {
  return z
    .string()
    .max(most)
    .refine((text) => !CONTROL.test(text.replaceAll(LAYOUT, "")), {
      error: "expected a text without control characters",
    });
}

/** In lower case, as it is stored: who compares ids compares values. */
export const idInput = z.uuid().toLowerCase();

/** An id or a name; an id in any case. */
export const referenceInput = lineInput(200).overwrite((text) =>
  z.uuid().safeParse(text).success ? text.toLowerCase() : text,
);

/**
 * Largest amount that can be put in. The store holds numeric(38,18), that is 20 digits before the
 * point; the rest is left for profit, and for the quantity such an amount buys of a cheap instrument.
 */
const MOST_AMOUNT = decimal("1000000000000");
/** Longer than any amount within the bounds, however it is written. */
const MOST_DIGITS = 100;
const PLAIN = /^\d+(\.\d+)?$/;

/**
 * An amount of money as it is stored, rounded half to even to the store's 18 places, here and nowhere
 * later; null where it is not above 0, too large, or no plain decimal number.
 */
export function parseAmount(text: string): DecimalString | null {
  if (text.length > MOST_DIGITS || !PLAIN.test(text)) return null;
  const rounded = toDecimalString(decimal(text));
  return rounded === "0" || decimal(rounded).greaterThan(MOST_AMOUNT) ? null : rounded;
}

export function amountExpected(was: unknown): string {
  return (
    `expected an amount above 0 and up to ${MOST_AMOUNT.toFixed()} as a text of plain digits, ` +
    `with at most ${SCALE} places that count, was ${quoted(was)}`
  );
}

export const amountInput = z
  .string({ error: ({ input }) => amountExpected(input) })
  .transform((text, context): DecimalString => {
    const amount = parseAmount(text);
    if (amount !== null) return amount;
    context.addIssue({ code: "custom", message: amountExpected(text) });
    return z.NEVER;
  });
