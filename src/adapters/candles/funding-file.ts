import { basename } from "node:path";
import { type Place, placeError, shown } from "./file-problem.ts";
import { InstantReader } from "./instants.ts";
import { isNumber, noNumber, parseNumber } from "./numbers.ts";
import { assertWidth, readTable, type Row } from "./table.ts";

/** The funding payments of one perpetual, oldest first. Plain data, also for threads. */
export interface FundingSeries {
  file: string;
  symbol: string;
  /** `at` in ms UTC, `rate` as a fraction of the notional: longs pay shorts when it is positive. */
  payments: { at: number; rate: number }[];
}

interface Columns {
  width: number;
  time: number;
  rate: number;
  names: readonly string[];
}

const TIMES = [
  "calctime",
  "fundingtime",
  "fundingtimestamp",
  "timestamp",
  "time",
  "datetime",
  "date",
];
const RATES = ["lastfundingrate", "fundingrate", "realizedrate", "rate", "funding"];
/** A payment of more than this part of a position is percent written as a fraction, or no rate. */
const MOST_RATE = 0.1;

/** @throws InvalidInputError INVALID_DATA_FILE naming file, line, column and the fix. */
export async function readFundingFile(path: string, symbol: string): Promise<FundingSeries> {
  const payments: FundingSeries["payments"] = [];
  const instants = new InstantReader();
  let columns: Columns | null = null;
  await readTable(path, (row, delimiter) => {
    if (columns === null) {
      const isHeader = !row.fields.some((field) => isNumber(field));
      columns = isHeader ? columnsByName(row) : byPosition(row);
      if (isHeader) return;
    }
    assertWidth(row, columns.width);
    const place = (column: number): Place => ({
      ...row.place,
      column: columns?.names[column] ?? "",
    });
    const at = instants.read(row.fields[columns.time] ?? "");
    if (typeof at !== "number") throw placeError(place(columns.time), at.problem, at.fix);
    const text = row.fields[columns.rate] ?? "";
    const rate = parseNumber(text, delimiter !== ",");
    if (rate === null) throw noNumber(text, place(columns.rate));
    checkRate(rate, text, place(columns.rate));
    checkOrder(at, payments.at(-1)?.at, place(columns.time));
    payments.push({ at, rate });
  });
  return { file: basename(path), symbol, payments };
}

function columnsByName({ fields, place }: Row): Columns {
  const plain = fields.map((name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, ""));
  const find = (names: readonly string[]): number =>
    plain.indexOf(names.find((name) => plain.includes(name)) ?? "");
  const [time, rate] = [find(TIMES), find(RATES)];
  if (time !== -1 && rate !== -1) return { width: fields.length, time, rate, names: fields };
  const problem = `expected a header with time and rate, was ${shown(fields.join(","))}`;
  throw placeError(place, problem, "rename the columns");
}

function byPosition(row: Row): Columns {
  assertWidth(row, 2);
  return { width: 2, time: 0, rate: 1, names: ["time", "rate"] };
}

function checkRate(rate: number, text: string, place: Place): void {
  if (Math.abs(rate) <= MOST_RATE) return;
  const problem = `expected a fraction of at most ${MOST_RATE}, was ${shown(text)}`;
  throw placeError(place, problem, "write 0.01 % as 0.0001");
}

function checkOrder(at: number, previous: number | undefined, place: Place): void {
  if (previous === undefined || at > previous) return;
  const problem =
    at === previous ? "the same time as the line before" : "earlier than the line before";
  throw placeError(place, problem, "sort the lines by time and keep one line for each time");
}
