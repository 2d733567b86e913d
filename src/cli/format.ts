import { styleText } from "node:util";
import { decimal, ZERO, type DecimalString } from "#domain/decimal.ts";
import { priceText } from "#domain/price-text.ts";

type Style = Parameters<typeof styleText>[0];

/** Colours a text, or not. */
export type Paint = (style: Style, text: string) => string;

/** Colour where the stream shows it and NO_COLOR does not forbid it. */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (style, text) => styleText(style, text, { stream });
}

/** `12,345.67`; two places, for amounts of money. A price has its own digits: `price`. */
export function money(amount: DecimalString): string {
  const rounded = decimal(amount).toDecimalPlaces(2);
  return withThousands((rounded.isZero() ? ZERO : rounded).toFixed(2));
}

/** `43,210.5`, `0.0000119`: with the digits of the instrument. */
export function price(amount: DecimalString): string {
  return withThousands(priceText(amount));
}

function withThousands(text: string): string {
  const [whole = "0", decimals] = text.split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** A fraction as `+1.25 %`; `-` for none. */
export function percent(fraction: number | null): string {
  if (fraction === null) return "-";
  const points = Number((fraction * 100).toFixed(2));
  if (points === 0) return "0.00 %";
  return `${points > 0 ? "+" : ""}${points.toFixed(2)} %`;
}

/** Profit relative to what it was made from: equity − profit is what was put in. */
export function returnOf(equity: DecimalString, pnl: DecimalString): number | null {
  const start = decimal(equity).minus(pnl);
  return start.isPositive() && !start.isZero() ? decimal(pnl).div(start).toNumber() : null;
}

/** An instant as `2014-05-02` at midnight UTC, else with its time. */
export function instant(at: number | null): string {
  if (at === null) return "-";
  const text = new Date(at).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** How long, in its largest unit: `3 d`. */
export function age(ms: number): string {
  for (const [unit, length] of UNITS) {
    if (ms >= length) return `${Math.floor(ms / length)} ${unit}`;
  }
  return "now";
}

export function plural(count: number, noun: string): string {
  const word = count === 1 ? noun : `${noun.replace(/y$/, "ie")}s`;
  return `${count.toLocaleString("en")} ${word}`;
}

export const shortId = (id: string): string => id.slice(0, 8);
