// Reads candle and funding files. A damaged file is refused as a whole, with the place and the fix.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { parse } from "csv-parse/sync";
import { z } from "zod";
import { DomainError, errorMessage } from "#domain/errors.ts";
import type { Candle } from "#domain/market.ts";

const PRICE_COLUMNS = ["open", "high", "low", "close", "volume"] as const;
const TIME_COLUMNS = ["timestamp_ms", "date"] as const;
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const FUNDING_TIME = /^(\d{4})(\d{2})(\d{2}) (\d{2}:\d{2}:\d{2})$/;

// With `info` the library returns another shape than its types say.
const parsedSchema = z.array(
  z.object({ record: z.array(z.string()), info: z.object({ lines: z.number() }) }),
);

/** The bars of one symbol out of one file, oldest first, without overlaps. */
export interface CandleFile {
  /** File name without its folder. */
  file: string;
  symbol: string;
  stepMs: number;
  candles: Candle[];
}

/** The funding payments of one perpetual out of one file, oldest first. */
export interface FundingFile {
  file: string;
  symbol: string;
  payments: { at: number; rate: number }[];
}

export interface CandleFileOptions {
  symbol: string;
  /** ms between two bars; left out, the most common distance in the file. */
  stepMs?: number;
}

interface Row {
  line: number;
  fields: string[];
}

/** A bar whose close is not known yet: the step comes from all of them. */
interface Bar extends Omit<Candle, "closeAt"> {
  line: number;
}

interface Place {
  file: string;
  line: number;
  column: string;
}

/** @throws DomainError INVALID_DATA_FILE naming file, line, column and the fix. */
export async function readCandleFile(
  path: string,
  options: CandleFileOptions,
): Promise<CandleFile> {
  return parseCandles(basename(path), await readText(path), options);
}

/** As `readCandleFile`, of a text already read. */
export function parseCandles(file: string, text: string, options: CandleFileOptions): CandleFile {
  const [header, ...rows] = parseRows(file, text);
  const timeColumn = checkHeader(file, header);
  if (rows.length === 0) throw fileError(file, "no bars", "add at least one line after the header");

  const bars = rows.map((row) => toBar(file, row, timeColumn));
  const placeOf = (bar: Bar): Place => ({ file, line: bar.line, column: timeColumn });
  for (const [previous, bar] of pairs(bars)) checkOrder(placeOf(bar), bar.openAt, previous.openAt);
  const stepMs = options.stepMs ?? inferStep(file, bars);
  for (const [previous, bar] of pairs(bars)) {
    checkDistance(placeOf(bar), bar.openAt - previous.openAt, stepMs);
  }
  const candles = bars.map((bar) => toCandle(bar, stepMs));
  return { file, symbol: options.symbol, stepMs, candles };
}

/** @throws DomainError INVALID_DATA_FILE naming file, line, column and the fix. */
export async function readFundingFile(path: string, symbol: string): Promise<FundingFile> {
  return parseFunding(basename(path), await readText(path), symbol);
}

/** As `readFundingFile`, of a text already read. */
export function parseFunding(file: string, text: string, symbol: string): FundingFile {
  const payments: FundingFile["payments"] = [];
  for (const row of parseRows(file, text)) {
    checkFieldCount(file, row, 2);
    const place = { file, line: row.line, column: "time" };
    const at = fundingTime(place, row.fields[0] ?? "");
    checkOrder(place, at, payments.at(-1)?.at);
    const rate = toNumber({ ...place, column: "rate" }, row.fields[1] ?? "");
    payments.push({ at, rate });
  }
  return { file, symbol, payments };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const message = `${path}: cannot be read: ${errorMessage(error)}; check the path and its permissions`;
    throw new DomainError("INVALID_DATA_FILE", message, { cause: error, details: { file: path } });
  }
}

function parseRows(file: string, text: string): Row[] {
  try {
    const parsed = parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    });
    return parsedSchema
      .parse(parsed)
      .map(({ record, info }) => ({ line: info.lines, fields: record }));
  } catch (error) {
    const message = `${file}: not a CSV file: ${errorMessage(error)}; save it as plain CSV`;
    throw new DomainError("INVALID_DATA_FILE", message, { cause: error, details: { file } });
  }
}

function checkHeader(file: string, header: Row | undefined): string {
  const found = header?.fields.map((name) => name.toLowerCase()) ?? [];
  const timeColumn = TIME_COLUMNS.find((name) => name === found[0]) ?? TIME_COLUMNS[0];
  const expected = [timeColumn, ...PRICE_COLUMNS];
  const longest = Math.max(found.length, expected.length);
  const wrong = Array.from({ length: longest }, (_, index) => index).find(
    (index) => found[index] !== expected[index],
  );
  if (wrong === undefined) return timeColumn;
  throw placeError(
    { file, line: header?.line ?? 1, column: found[wrong] ?? String(wrong + 1) },
    `expected the header ${expected.join(",")}, was ${found.join(",") || "empty"}`,
    "rename the columns; days may have a date column instead of timestamp_ms",
  );
}

function checkFieldCount(file: string, row: Row, expected: number): void {
  if (row.fields.length === expected) return;
  throw placeError(
    { file, line: row.line, column: String(Math.min(row.fields.length, expected) + 1) },
    `expected ${expected} fields, was ${row.fields.length}`,
    "complete or remove the line",
  );
}

function readTime(file: string, row: Row, column: string): number {
  checkFieldCount(file, row, 6);
  const text = row.fields[0] ?? "";
  const place = { file, line: row.line, column };
  return column === "date" ? dayTime(place, text) : epochTime(place, text);
}

function epochTime(place: Place, text: string): number {
  const value = toNumber(place, text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  const fix = "write UTC epoch milliseconds as a whole number";
  throw placeError(place, `expected a time, was ${text}`, fix);
}

function dayTime(place: Place, text: string): number {
  const at = DAY.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  if (!Number.isNaN(at) && new Date(at).toISOString().startsWith(text)) return at;
  throw placeError(place, `expected a day, was ${text}`, "write it as yyyy-mm-dd");
}

function fundingTime(place: Place, text: string): number {
  const at = Date.parse(text.replace(FUNDING_TIME, "$1-$2-$3T$4Z"));
  if (FUNDING_TIME.test(text) && !Number.isNaN(at)) return at;
  throw placeError(place, `expected a time, was ${text}`, "write it as yyyymmdd hh:mm:ss in UTC");
}

function checkOrder(place: Place, at: number, previous: number | undefined): void {
  if (previous === undefined || at > previous) return;
  const problem =
    at === previous ? "the same time as the line before" : "earlier than the line before";
  throw placeError(place, problem, "sort the lines by time and keep one line for each time");
}

function checkDistance(place: Place, distanceMs: number, stepMs: number): void {
  if (distanceMs >= stepMs) return;
  throw placeError(
    place,
    `${distanceMs} ms after the line before, closer than one step of ${stepMs} ms`,
    "keep bars of one step in one file, or give the file's step",
  );
}

function inferStep(file: string, bars: readonly Bar[]): number {
  const counts = new Map<number, number>();
  for (const [previous, bar] of pairs(bars)) {
    const distance = bar.openAt - previous.openAt;
    counts.set(distance, (counts.get(distance) ?? 0) + 1);
  }
  const [best] = [...counts].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (best === undefined) throw fileError(file, "one bar does not show its step", "give the step");
  return best[0];
}

/** Each item with the one before it. */
const pairs = <T>(items: readonly T[]): [T, T][] =>
  items.flatMap((item, index) => {
    const previous = items[index - 1];
    return previous === undefined ? [] : [[previous, item]];
  });

function toBar(file: string, row: Row, timeColumn: string): Bar {
  const openAt = readTime(file, row, timeColumn);
  const value = (column: string, index: number): number =>
    toAmount({ file, line: row.line, column }, row.fields[index]);
  const [open, high] = [value("open", 1), value("high", 2)];
  const [low, close] = [value("low", 3), value("close", 4)];
  checkBar({ file, line: row.line, column: "high" }, { open, high, low, close });
  return { line: row.line, openAt, open, high, low, close, volume: value("volume", 5) };
}

function toCandle(bar: Bar, stepMs: number): Candle {
  const { openAt, open, high, low, close, volume } = bar;
  return { openAt, closeAt: openAt + stepMs, open, high, low, close, volume };
}

function checkBar(
  place: Place,
  bar: { open: number; high: number; low: number; close: number },
): void {
  const { open, high, low, close } = bar;
  const fix = "correct the bar or remove the line";
  if (high < low) throw placeError(place, `high ${high} is below low ${low}`, fix);
  for (const [name, price] of Object.entries({ open, close })) {
    if (price >= low && price <= high) continue;
    throw placeError({ ...place, column: name }, `${price} is outside ${low} .. ${high}`, fix);
  }
}

function toAmount(place: Place, text = ""): number {
  const value = toNumber(place, text);
  const lowest = place.column === "volume" ? "0 or more" : "more than 0";
  if (value > 0 || (value === 0 && place.column === "volume")) return value;
  throw placeError(
    place,
    `expected ${lowest}, was ${text}`,
    "correct the number or remove the line",
  );
}

function toNumber(place: Place, text: string): number {
  const value = NUMBER.test(text) ? Number(text) : NaN;
  if (Number.isFinite(value)) return value;
  const found = text === "" ? "empty" : text;
  throw placeError(place, `expected a number, was ${found}`, "write it like 1234.5");
}

function placeError(place: Place, problem: string, fix: string): DomainError {
  const message = `${place.file}, line ${place.line}, column ${place.column}: ${problem}; ${fix}`;
  return new DomainError("INVALID_DATA_FILE", message, { details: { ...place } });
}

function fileError(file: string, problem: string, fix: string): DomainError {
  return new DomainError("INVALID_DATA_FILE", `${file}: ${problem}; ${fix}`, { details: { file } });
}
