// How long history is kept whole, and how thin it becomes after that.
import { InvalidInputError } from "./errors.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const UNITS: Readonly<Record<string, number>> = { h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

/** Without a word about it, one point per hour is kept for so many times as long as everything. */
const HOURLY_FACTOR = 4;
/** A thousand years: beyond it instants are no dates any more. */
const LONGEST_MS = 1_000 * 365 * DAY_MS;

export interface RetentionRequest {
  /** Younger than this, everything is kept: a number with its unit, e.g. `90d`, `36h`, `12w`. */
  keep: string;
  /** Younger than this, one cycle per hour is kept, then one per day; four times `keep` unless told. */
  keepHourly?: string | undefined;
}

export interface Retention {
  keepMs: number;
  keepHourlyMs: number;
}

/** Instants (ms UTC): before the first one cycle per hour is kept, before the second one per day. */
export interface Cutoffs {
  hourlyBefore: number;
  dailyBefore: number;
}

/** @throws InvalidInputError INVALID_INPUT naming `keep` or `keepHourly` */
export function parseRetention({ keep, keepHourly }: RetentionRequest): Retention {
  const keepMs = spanOf("keep", keep);
  const keepHourlyMs =
    keepHourly === undefined ? HOURLY_FACTOR * keepMs : spanOf("keepHourly", keepHourly);
  if (keepHourlyMs >= keepMs) return { keepMs, keepHourlyMs };
  throw invalid("keepHourly", `expected at least as long as keep (${keep}), was "${keepHourly}"`);
}

/**
 * Counted back from a template's own newest tick, down to a whole hour and a whole day (UTC): an hour
 * or a day is thinned when all of it is old, so that it does not matter when, or how often.
 */
export function cutoffsOf({ keepMs, keepHourlyMs }: Retention, newestTick: number): Cutoffs {
  return {
    hourlyBefore: wholeOf(newestTick - keepMs, HOUR_MS),
    dailyBefore: wholeOf(newestTick - keepHourlyMs, DAY_MS),
  };
}

function wholeOf(instant: number, unit: number): number {
  return Math.floor(instant / unit) * unit;
}

function spanOf(field: string, text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,9})([hdw])$/.exec(text) ?? [];
  const span = Number(digits) * (UNITS[unit] ?? 0);
  if (span > 0 && span <= LONGEST_MS) return span;
  const expected = "expected a whole number above 0 with its unit (h, d or w), such as 90d";
  throw invalid(field, `${expected}, was "${text}"`);
}

function invalid(field: string, message: string): InvalidInputError {
  const options = { fields: [{ field, message }] };
  return new InvalidInputError("INVALID_INPUT", `${field}: ${message}`, options);
}
