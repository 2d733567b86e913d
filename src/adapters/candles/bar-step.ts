// The time from one bar to the next, and when a bar ends. Days and months are cut by a calendar,
// often a local one, so that they differ in length; a bar of theirs ends where the next begins.
import type { Bars } from "./bars.ts";

export interface BarStep {
  unit: "ms" | "day" | "month";
  size: number;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MONTH_MS = 30 * DAY_MS;
/** Clocks are set by an hour at most. */
const CLOCK_CHANGE_MS = HOUR_MS;
/** Local midnight is never further from midnight UTC. */
const MOST_ZONE_MS = 14 * HOUR_MS;

const UNITS: Readonly<Record<string, BarStep>> = {
  s: { unit: "ms", size: SECOND_MS },
  m: { unit: "ms", size: MINUTE_MS },
  h: { unit: "ms", size: HOUR_MS },
  d: { unit: "day", size: 1 },
  w: { unit: "day", size: 7 },
  M: { unit: "month", size: 1 },
  y: { unit: "month", size: 12 },
};

/** Units by how people write them; of one letter only `m` and `M` mean different things. */
const SPELLINGS: readonly [pattern: RegExp, unit: string][] = [
  [/^(s|S|secs?|seconds?)$/, "s"],
  [/^(m|mins?|minutes?|minutely)$/, "m"],
  [/^(h|H|hrs?|hours?|hourly)$/, "h"],
  [/^(d|D|days?|daily)$/, "d"],
  [/^(w|W|wks?|weeks?|weekly)$/, "w"],
  [/^(M|mos?|mths?|months?|monthly)$/, "M"],
  [/^(y|Y|years?|yearly)$/, "y"],
];
const COUNTED = /^(\d{1,4})([a-z]+)$/i;
/** MetaTrader's names: M1 is one minute, MN1 one month. */
const METATRADER = /^(M|H|D|W|MN)(\d{1,2})$/;
const METATRADER_UNITS: Readonly<Record<string, string>> = {
  M: "m",
  H: "h",
  D: "d",
  W: "w",
  MN: "M",
};

/** `1m`, `4h`, `1d`, `1w`, `1M`, `daily`; null when it is none. */
export function parseStep(text: string): BarStep | null {
  const [, prefix = "", times = ""] = METATRADER.exec(text) ?? [];
  if (prefix !== "") return sized(METATRADER_UNITS[prefix], Number(times));
  const [, count = "1", word = text] = COUNTED.exec(text) ?? [];
  const spelled = word.length > 1 ? word.toLowerCase() : word;
  const [, unit] = SPELLINGS.find(([pattern]) => pattern.test(spelled)) ?? [];
  return sized(unit, Number(count));
}

function sized(unit: string | undefined, count: number): BarStep | null {
  const step = unit === undefined ? undefined : UNITS[unit];
  if (step === undefined || count === 0) return null;
  return fromMs({ unit: step.unit, size: step.size * count });
}

/** Whole days are days: 24 hours that begin at a local midnight have 23 or 25 twice a year. */
function fromMs(step: BarStep): BarStep {
  const isDays = step.unit === "ms" && step.size % DAY_MS === 0;
  return isDays ? { unit: "day", size: step.size / DAY_MS } : step;
}

/** The usual length, ms; a month counts 30 days. */
export function nominalMs({ unit, size }: BarStep): number {
  return size * { ms: 1, day: DAY_MS, month: MONTH_MS }[unit];
}

/** As `parseStep` reads it. */
export function stepText({ unit, size }: BarStep): string {
  if (unit === "day") return size % 7 === 0 ? `${size / 7}w` : `${size}d`;
  if (unit === "month") return `${size}M`;
  if (size % HOUR_MS === 0) return `${size / HOUR_MS}h`;
  if (size % MINUTE_MS === 0) return `${size / MINUTE_MS}m`;
  return size % SECOND_MS === 0 ? `${size / SECOND_MS}s` : `${size}ms`;
}

/** Least distance of two bars. */
export function leastMs({ unit, size }: BarStep): number {
  if (unit === "ms") return size;
  return unit === "day" ? size * DAY_MS - CLOCK_CHANGE_MS : size * 28 * DAY_MS - CLOCK_CHANGE_MS;
}

/** When the bar that opens at `openAt` ends; `next` is where the bar after it opens, NaN: there is none. */
export function closeOf(step: BarStep, openAt: number, next: number): number {
  if (step.unit === "ms") return openAt + step.size;
  const usual = step.unit === "day" ? openAt + step.size * DAY_MS : monthsLater(openAt, step.size);
  return Math.abs(next - usual) <= CLOCK_CHANGE_MS ? next : usual;
}

/** The same local midnight of the first, so many months later. */
function monthsLater(openAt: number, months: number): number {
  const start = monthStart(openAt);
  const [year, month] = [new Date(start).getUTCFullYear(), new Date(start).getUTCMonth()];
  return Date.UTC(year, month + months) + (openAt - start);
}

/** Midnight UTC of the first of a month that is closest. */
function monthStart(at: number): number {
  const shifted = new Date(at + MOST_ZONE_MS);
  return Date.UTC(shifted.getUTCFullYear(), shifted.getUTCMonth());
}

/** Whether it is midnight of the first of a month in some zone. */
export function opensMonth(at: number): boolean {
  return Math.abs(at - monthStart(at)) <= MOST_ZONE_MS;
}

/** What the distances between bars of a file say, gathered while they are read. */
export class Distances {
  least = Infinity;
  #divisor = 0;
  #days = 0;
  #isDays = true;

  add(distance: number): void {
    this.least = Math.min(this.least, distance);
    this.#divisor = greatestDivisor(this.#divisor, distance);
    const days = Math.round(distance / DAY_MS);
    this.#days = greatestDivisor(this.#days, days);
    this.#isDays &&= days > 0 && Math.abs(distance - days * DAY_MS) <= CLOCK_CHANGE_MS;
  }

  /** Whether all bars open on the first of a month, and no two in the same one. */
  areMonths(bars: Bars): boolean {
    const isFar = bars.length > 1 && this.least >= 28 * DAY_MS - CLOCK_CHANGE_MS;
    return isFar && opensMonths(bars);
  }

  /** The smallest distance of which all are multiples, by clock or calendar; null: there is none. */
  step(bars: Bars): BarStep | null {
    if (this.areMonths(bars)) return { unit: "month", size: leastMonths(bars) };
    if (this.least === this.#divisor) return fromMs({ unit: "ms", size: this.least });
    const isDays = this.#isDays && Math.round(this.least / DAY_MS) === this.#days;
    return isDays ? { unit: "day", size: this.#days } : null;
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function opensMonths(bars: Bars): boolean {
  for (let index = 0; index < bars.length; index += 1) {
    if (!opensMonth(bars.get(index, "openAt"))) return false;
  }
  return true;
}

function leastMonths(bars: Bars): number {
  let least = Infinity;
  for (let index = 1; index < bars.length; index += 1) {
    const months =
      monthNumber(bars.get(index, "openAt")) - monthNumber(bars.get(index - 1, "openAt"));
    least = Math.min(least, months);
  }
  return least;
}

function monthNumber(at: number): number {
  const start = new Date(monthStart(at));
  return start.getUTCFullYear() * 12 + start.getUTCMonth();
}
