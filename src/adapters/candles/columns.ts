// Recognises which column of a file is what: by the header, or, without one, by the position the
// exchanges' own dumps have.
import { type Place, placeError, shown } from "./file-problem.ts";
import { isInstant } from "./instants.ts";
import { isNumber } from "./numbers.ts";

/** Index of each column a bar is made of. */
export interface Columns {
  /** Fields per line. */
  width: number;
  time: number;
  /** The time of day, where it stands in a column of its own. */
  clock: number | null;
  open: number;
  high: number;
  low: number;
  close: number;
  /** Null: the file does not say. */
  volume: number | null;
  symbol: number | null;
  /** By index, for messages. */
  names: readonly string[];
}

type Part = Exclude<keyof Columns, "width" | "names">;

/** Names without case, spaces and signs; of several that are there the first counts. */
const NAMES: Readonly<Record<Part, readonly string[]>> = {
  time: [
    "timestampms",
    "timestamp",
    "unixtimestamp",
    "unixtime",
    "unix",
    "opentimestamp",
    "opentime",
    "timeopen",
    "starttime",
    "startat",
    "timeperiodstart",
    "start",
    "datetime",
    "datetimeutc",
    "utc",
    "utctime",
    "timeutc",
    "gmttime",
    "ts",
    "t",
    "date",
    "dateutc",
    "day",
    "time",
    "",
    "unnamed0",
  ],
  clock: ["time"],
  open: ["open", "openprice", "priceopen", "o"],
  high: ["high", "highprice", "pricehigh", "max", "h"],
  low: ["low", "lowprice", "pricelow", "min", "l"],
  close: ["close", "closeprice", "priceclose", "closelast", "last", "c"],
  volume: ["volume", "basevolume", "volumebase", "volumetraded", "basevol", "vol", "v"],
  symbol: ["symbol", "pair", "ticker", "tic", "market", "instrument", "product", "instid"],
};

const NEEDED = ["time", "open", "high", "low", "close"] as const;

/** Columns of files without a header, by their number. Missing ones are not known. */
const BY_WIDTH: Readonly<Record<number, readonly string[]>> = {
  5: ["time", "open", "high", "low", "close"],
  6: ["time", "open", "high", "low", "close", "volume"],
  7: ["time", "open", "high", "low", "close", "volume", "trades or turnover"],
  8: ["time", "open", "high", "low", "close", "vwap", "volume", "trades"],
  9: ["time", "open", "high", "low", "close", "volume", "volume 2", "volume 3", "confirm"],
  12: [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
  ],
};
/** MetaTrader writes day and time of day apart. */
const WITH_CLOCK = ["date", "time", "open", "high", "low", "close", "volume"];
const CLOCK = /^\d{1,2}:\d{2}(:\d{2})?$/;
const FEWEST_NUMBERS = 4;

const FIX =
  "write a header such as timestamp,open,high,low,close,volume, or give the exchange's own dump";

/** Whether the first line of a table is a bar and not its header. */
export function isBar(fields: readonly string[]): boolean {
  return fields.filter((field) => isNumber(field)).length >= FEWEST_NUMBERS;
}

/** @throws InvalidInputError INVALID_DATA_FILE naming the column that is not there. */
export function columnsByName(names: readonly string[], place: Place, base?: string): Columns {
  const plain = names.map((name) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, ""));
  const find = (part: Part): number | null => {
    const name = NAMES[part].find((candidate) => plain.includes(candidate));
    return name === undefined ? null : plain.indexOf(name);
  };
  const found = Object.fromEntries(NEEDED.map((part) => [part, find(part)]));
  const missing = NEEDED.filter((part) => found[part] === null);
  if (missing.length > 0) {
    const problem = `expected a header with ${NEEDED.join(", ")}, found no ${missing.join(", ")} in ${shown(names.join(","))}`;
    throw placeError(place, problem, FIX);
  }
  const time = found["time"] ?? 0;
  const clock = find("clock");
  return {
    width: names.length,
    time,
    clock: plain[time] === "date" && clock !== time ? clock : null,
    open: found["open"] ?? 0,
    high: found["high"] ?? 0,
    low: found["low"] ?? 0,
    close: found["close"] ?? 0,
    volume: volumeOf(plain, base) ?? find("volume"),
    symbol: find("symbol"),
    names,
  };
}

/** `Volume BTC` is the one in base currency; beside it there is often one in the quote's. */
function volumeOf(plain: readonly string[], base?: string): number | null {
  if (base === undefined) return null;
  const index = plain.indexOf(`volume${base.toLowerCase()}`);
  return index === -1 ? null : index;
}

/** @throws InvalidInputError INVALID_DATA_FILE when no known dump has so many columns. */
export function columnsByPosition(fields: readonly string[], place: Place): Columns {
  const hasClock = CLOCK.test(fields[1] ?? "") && fields.length >= WITH_CLOCK.length;
  const names = hasClock ? padded(WITH_CLOCK, fields.length) : BY_WIDTH[fields.length];
  if (names === undefined) {
    const problem = `no header, and ${fields.length} columns that no known exchange writes`;
    throw placeError(place, problem, FIX);
  }
  if (fields.length === 12) assertDump(fields, place);
  return columnsByName(names, place);
}

function padded(names: readonly string[], width: number): string[] {
  return Array.from({ length: width }, (_, index) => names[index] ?? `column ${index + 1}`);
}

/** The seventh column of a twelve-column dump is when the bar ends. */
function assertDump(fields: readonly string[], place: Place): void {
  const [openTime = "", closeTime = ""] = [fields[0], fields[6]];
  if (isInstant(closeTime) && Number(closeTime) > Number(openTime)) return;
  const problem = `no header, and column 7 of 12 is no closing time (${shown(closeTime)})`;
  throw placeError({ ...place, column: "7" }, problem, FIX);
}
