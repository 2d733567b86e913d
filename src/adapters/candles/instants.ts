// Recognises what a time in a file means. A number is taken for the one unit in which it is an instant
// somebody could mean; the ranges of the units do not touch.
import { shown } from "./file-problem.ts";

/** How a file writes its times. */
export type TimeFormat = "seconds" | "milliseconds" | "microseconds" | "nanoseconds" | "dates";

/** Numbers before are more likely something else, e.g. a day written without dashes. */
const FIRST_NUMBER = Date.UTC(1990, 0, 1);
/** No file has bars from after it. */
const END = Date.UTC(2100, 0, 1);

/** Milliseconds per unit. */
const UNITS: readonly [format: TimeFormat, ms: number][] = [
  ["seconds", 1000],
  ["milliseconds", 1],
  ["microseconds", 1 / 1000],
  ["nanoseconds", 1 / 1_000_000],
];

const WHOLE = /^\d+$/;
const NUMBER = /^[-+]?\d+(\.\d*)?(e[-+]?\d+)?$/i;
const DATE =
  /^(\d{4})([-./]?)(\d{2})\2(\d{2})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?)? ?(Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)?$/i;

const EXPECTED =
  "write UTC dates as yyyy-mm-dd or yyyy-mm-ddThh:mm:ssZ, or whole seconds, milliseconds, microseconds or nanoseconds since 1970";

/** Reads the times of one file, which are all written in one way. */
export class InstantReader {
  #format: TimeFormat | null = null;

  /** ms UTC, or why it is none. */
  read(text: string): number | NoInstant {
    const instant = instantOf(text);
    if (instant === null) {
      const problem = `expected a time from 1970 to 2099, was ${shown(text)}${readings(text)}`;
      return { problem, fix: EXPECTED };
    }
    this.#format ??= instant.format;
    if (this.#format === instant.format) return instant.at;
    return {
      problem: `the times change from ${this.#format} to ${instant.format} (${shown(text)})`,
      fix: "write all of them in one unit, or make two files of it",
    };
  }
}

/** Why a text is no time, and what to do. */
export interface NoInstant {
  problem: string;
  fix: string;
}

/** Whether a field is written like a time, for telling a header from a bar. */
export function isInstant(text: string): boolean {
  return instantOf(text) !== null;
}

function instantOf(text: string): Instant | null {
  return NUMBER.test(text) ? numberOf(text) : dateOf(text);
}

interface Instant {
  at: number;
  format: TimeFormat;
}

function numberOf(text: string): Instant | null {
  const value = Number(text);
  const unit = UNITS.find(([, ms]) => value * ms >= FIRST_NUMBER && value * ms < END);
  // A day without dashes (20250101) is no number of any unit.
  if (unit === undefined) return dateOf(text);
  const [format, ms] = unit;
  // Of nanoseconds a number keeps no more than the first 16 digits.
  if (format === "nanoseconds" && WHOLE.test(text)) {
    return { at: Number(text.slice(0, -6)), format };
  }
  return { at: Math.floor(format === "microseconds" ? value / 1000 : value * ms), format };
}

function dateOf(text: string): Instant | null {
  const parts = DATE.exec(text);
  if (parts === null) return null;
  const [, year, , month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = parts;
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const isDay = new Date(at).getUTCDate() === Number(day) && Number(month) <= 12;
  const isTime = Number(hour) <= 23 && Number(minute) <= 59 && Number(second) <= 59;
  if (!isDay || !isTime || at < 0 || at >= END) return null;
  const time = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const ms = Number(fraction.padEnd(3, "0").slice(0, 3));
  return { at: at + time * 1000 + ms - zoneMs(zone), format: "dates" };
}

function zoneMs(zone = ""): number {
  const [, sign, hours, minutes = "0"] = /^([-+])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  if (hours === undefined) return 0;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** What the number would be in each unit, so that the mistake can be seen. */
function readings(text: string): string {
  if (!NUMBER.test(text)) return "";
  const value = Number(text);
  return ` (${UNITS.map(([format, ms]) => `as ${format} ${yearOf(value * ms)}`).join(", ")})`;
}

function yearOf(at: number): string {
  const year = new Date(at).getUTCFullYear();
  return Number.isNaN(year) ? "no date" : `the year ${year}`;
}
