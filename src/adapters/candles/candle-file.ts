// Reads one candle file into memory, 48 bytes per bar. A file that is damaged, or that could mean two
// things, is refused as a whole, with the place and the fix.
import { basename } from "node:path";
import type { InvalidInputError } from "#domain/errors.ts";
import { type BarData, type BarNumbers, Bars } from "./bars.ts";
import { type BarStep, closeOf, Distances, leastMs, opensMonth, stepText } from "./bar-step.ts";
import { type Columns, columnsByName, columnsByPosition, isBar } from "./columns.ts";
import type { Delimiter } from "./fields.ts";
import { parseSymbol, stepInName, stemOf, symbolInName } from "./file-name.ts";
import { fileError, type Place, placeError, shown } from "./file-problem.ts";
import { InstantReader } from "./instants.ts";
import { isUnknown, noNumber, parseNumber } from "./numbers.ts";
import { assertWidth, readTable, type Row } from "./table.ts";

/** The bars of one symbol out of one file, oldest first, without overlaps. Plain data, also for threads. */
export interface CandleSeries {
  /** Name without its folder. */
  file: string;
  /** Base/quote. */
  symbol: string;
  step: BarStep;
  bars: BarData;
  /** False: the file has no volume, or 0 in every bar. */
  knowsVolume: boolean;
  /** Places where the next bar does not begin where the one before ended. */
  gaps: number;
}

export interface CandleFileOptions {
  /** Where the file's name does not say it. */
  symbol?: string;
  /** Where the file's name does not say it. */
  step?: BarStep;
}

/** @throws InvalidInputError INVALID_DATA_FILE naming file, line, column and the fix. */
export async function readCandleFile(
  path: string,
  options: CandleFileOptions = {},
): Promise<CandleSeries> {
  const reader = new CandleReader(basename(path), options);
  await readTable(path, (row, delimiter) => reader.take(row, delimiter));
  return reader.finish();
}

class CandleReader {
  readonly #file: string;
  readonly #given: BarStep | null;
  readonly #instants = new InstantReader();
  readonly #distances = new Distances();
  readonly #bars = new Bars();
  #symbol: string | null;
  /** What the symbol column says, as written. */
  #symbolText: string | null = null;
  #columns: Columns | null = null;
  #hasComma = false;
  #hasVolume = false;
  /** 1: oldest bar first; −1: newest first; 0: not known yet. */
  #direction: -1 | 0 | 1 = 0;

  constructor(file: string, options: CandleFileOptions) {
    this.#file = file;
    this.#symbol = options.symbol ?? symbolInName(file);
    this.#given = stepInName(file) ?? options.step ?? null;
  }

  take(row: Row, delimiter: Delimiter): void {
    if (this.#columns === null) {
      this.#hasComma = delimiter !== ",";
      if (!isBar(row.fields)) {
        const base = this.#symbol?.split("/")[0];
        this.#columns = columnsByName(row.fields, row.place, base);
        return;
      }
      this.#columns = columnsByPosition(row.fields, row.place);
    }
    assertWidth(row, this.#columns.width);
    this.#checkSymbol(row, this.#columns);
    this.#add(this.#bar(row, this.#columns), row);
  }

  finish(): CandleSeries {
    const bars = this.#bars;
    if (bars.length === 0) {
      throw fileError(this.#file, "no bars", "add at least one line after the header");
    }
    const symbol = this.#symbol ?? this.#noSymbol();
    if (this.#direction === -1) bars.reverse();
    if (!this.#hasVolume) bars.forgetVolume();
    const step = this.#step();
    const gaps = countGaps(bars, step);
    return { file: this.#file, symbol, step, bars: bars.data, knowsVolume: this.#hasVolume, gaps };
  }

  #bar(row: Row, columns: Columns): BarNumbers {
    const bar = {
      openAt: this.#openAt(row, columns),
      open: this.#price(row, columns.open),
      high: this.#price(row, columns.high),
      low: this.#price(row, columns.low),
      close: this.#price(row, columns.close),
      volume: columns.volume === null ? NaN : this.#volume(row, columns.volume),
    };
    checkRange(bar, row.place);
    return bar;
  }

  #openAt(row: Row, { time, clock }: Columns): number {
    const day = row.fields[time] ?? "";
    const text = clock === null ? day : `${day} ${row.fields[clock] ?? ""}`;
    const instant = this.#instants.read(text);
    if (typeof instant === "number") return instant;
    throw placeError(this.#placeOf(row, time), instant.problem, instant.fix);
  }

  #price(row: Row, column: number): number {
    const text = row.fields[column] ?? "";
    const value = parseNumber(text, this.#hasComma);
    if (value === null) throw noNumber(text, this.#placeOf(row, column));
    if (value > 0) return value;
    throw this.#outOfBounds(row, column, "more than 0");
  }

  #volume(row: Row, column: number): number {
    const text = row.fields[column] ?? "";
    const value = parseNumber(text, this.#hasComma);
    if (value === null && isUnknown(text)) return NaN;
    if (value === null) throw noNumber(text, this.#placeOf(row, column));
    if (value < 0) throw this.#outOfBounds(row, column, "0 or more");
    this.#hasVolume ||= value > 0;
    return value;
  }

  #outOfBounds(row: Row, column: number, bounds: string): InvalidInputError {
    const problem = `expected ${bounds}, was ${shown(row.fields[column] ?? "")}`;
    const fix = "correct the number or remove the line";
    return placeError(this.#placeOf(row, column), problem, fix);
  }

  #timeOf(row: Row): Place {
    return this.#placeOf(row, this.#columns?.time ?? 0);
  }

  #placeOf({ place }: Row, column: number): Place {
    return { ...place, column: this.#columns?.names[column] ?? String(column + 1) };
  }

  #add(bar: BarNumbers, row: Row): void {
    const previous = this.#bars.get(this.#bars.length - 1, "openAt");
    if (!Number.isNaN(previous)) this.#checkOrder(bar.openAt - previous, row);
    const step = this.#given;
    if (step?.unit === "month" && !opensMonth(bar.openAt)) {
      const problem = `expected the first of a month, was ${new Date(bar.openAt).toISOString()}`;
      throw placeError(this.#timeOf(row), problem, `write when the bar opens, ${this.#stepFix()}`);
    }
    this.#bars.push(bar);
  }

  #checkOrder(difference: number, row: Row): void {
    if (difference === 0) {
      throw placeError(
        this.#timeOf(row),
        "the same time as the line before",
        "keep one line for each time",
      );
    }
    const direction = difference > 0 ? 1 : -1;
    if (this.#direction === 0) this.#direction = direction;
    if (this.#direction !== direction) {
      const found = direction === 1 ? "later" : "earlier";
      const order = direction === 1 ? "newest to oldest" : "oldest to newest";
      const problem = `${found} than the line before, in a file from ${order}`;
      throw placeError(this.#timeOf(row), problem, "sort the lines by time");
    }
    this.#checkDistance(Math.abs(difference), row);
  }

  #checkDistance(distance: number, row: Row): void {
    this.#distances.add(distance);
    if (this.#given === null || distance >= leastMs(this.#given)) return;
    const problem = `${distance} ms from the line before, closer than one step of ${stepText(this.#given)}`;
    throw placeError(
      this.#timeOf(row),
      problem,
      `keep bars of one step in one file, ${this.#stepFix()}`,
    );
  }

  #stepFix(): string {
    return stepInName(this.#file) === null
      ? "or correct TROUPE_REPLAY_STEP"
      : "or correct the step in the file's name";
  }

  /** A symbol column says what the file is about where its name does not; there may be only one. */
  #checkSymbol({ fields, place }: Row, { symbol, names }: Columns): void {
    if (symbol === null) return;
    const text = fields[symbol] ?? "";
    this.#symbolText ??= text;
    this.#symbol ??= parseSymbol(text);
    if (text === this.#symbolText) return;
    const problem = `the symbol changes from ${shown(this.#symbolText)} to ${shown(text)}`;
    const column = names[symbol] ?? "";
    throw placeError({ ...place, column }, problem, "make one file for each symbol");
  }

  #noSymbol(): never {
    throw fileError(
      this.#file,
      "its symbol is not known",
      "put it into the name, like BTC-USDT-1h.csv, or before the path, like TROUPE_REPLAY_FILE=BTC/USDT=file.csv",
    );
  }

  #step(): BarStep {
    const given = this.#given;
    const { least } = this.#distances;
    // On file systems that do not tell them apart "1M" may have become "1m".
    const isMinute = given?.unit === "ms" && given.size === 60_000;
    if (given !== null && !(isMinute && this.#distances.areMonths(this.#bars))) return given;
    const step = this.#bars.length === 1 ? null : this.#distances.step(this.#bars);
    if (step !== null) return step;
    const problem =
      this.#bars.length === 1
        ? "one bar does not show its step"
        : `the step is not clear: bars are as close as ${least} ms, and other distances are no multiples of it`;
    const fix = `set TROUPE_REPLAY_STEP, e.g. TROUPE_REPLAY_STEP=1m, or name it ${stemOf(this.#file)}-1m.csv`;
    throw fileError(this.#file, problem, fix);
  }
}

function checkRange(bar: BarNumbers, place: Place): void {
  const { high, low } = bar;
  const fix = "correct the bar or remove the line; columns in another order need a header";
  if (high < low) {
    throw placeError({ ...place, column: "high" }, `high ${high} is below low ${low}`, fix);
  }
  for (const column of ["open", "close"] as const) {
    const price = bar[column];
    if (price >= low && price <= high) continue;
    throw placeError({ ...place, column }, `${price} is outside ${low} .. ${high}`, fix);
  }
}

function countGaps(bars: Bars, step: BarStep): number {
  let gaps = 0;
  for (let index = 1; index < bars.length; index += 1) {
    const next = bars.get(index, "openAt");
    if (closeOf(step, bars.get(index - 1, "openAt"), next) < next) gaps += 1;
  }
  return gaps;
}
