import { type Place, placeError, shown } from "./file-problem.ts";

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const WITH_COMMA = /^[-+]?\d+,\d+$/;
const THOUSANDS = /^[-+]?\d{1,3}(,\d{3})+(\.\d*)?$/;
/** What programs write where they know no number. */
const NOT_KNOWN = new Set(["", "nan", "null", "none", "n/a", "na", "-"]);

/** With a point or, as some languages write it, a comma. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text) || WITH_COMMA.test(text);
}

/** Null when it is none. `hasComma`: the file writes decimals with a comma. */
export function parseNumber(text: string, hasComma: boolean): number | null {
  const plain = hasComma ? text.replace(",", ".") : text;
  const value = startsPlainly(plain) || NUMBER.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(value) ? value : null;
}

/**
 * Nearly every number starts so, and no other text that JavaScript would take for one (`0x10`) does:
 * it spares the expression, a quarter of the time a file takes.
 */
function startsPlainly(text: string): boolean {
  const [first, second] = [text.charCodeAt(0), text.charCodeAt(1)];
  return first >= 48 && first <= 57 && ((second >= 48 && second <= 57) || second === 46);
}

export function noNumber(text: string, place: Place) {
  const fix = THOUSANDS.test(text)
    ? "write it without marks between thousands, like 1234.5"
    : "write it like 1234.5";
  return placeError(place, `expected a number, was ${shown(text)}`, fix);
}

/** Whether a field says that its number is not known. */
export function isUnknown(text: string): boolean {
  return NOT_KNOWN.has(text.toLowerCase());
}
