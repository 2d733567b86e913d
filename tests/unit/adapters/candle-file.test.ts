import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openReplayFeed } from "#adapters/bundled-feed.ts";
import { CANDLE_FILES, FUNDING_FILES } from "#adapters/candle-catalogue.ts";
import {
  parseCandles,
  parseFunding,
  readCandleFile,
  readFundingFile,
} from "#adapters/candle-file.ts";

const FOLDER = "data/candles";
const MINUTE_MS = 60_000;
const HEADER = "timestamp_ms,open,high,low,close,volume";

test("a bar closes one step after it opens", () => {
  const { candles } = parse(["0,10,12,9,11,3.5", "60000,11,13,10,12,0"]);
  expect(candles[0]).toEqual({
    openAt: 0,
    closeAt: 60_000,
    open: 10,
    high: 12,
    low: 9,
    close: 11,
    volume: 3.5,
  });
});

test("a day given as date opens at midnight UTC", () => {
  const text = "date,open,high,low,close,volume\n2020-02-29,1,1,1,1,1\n2020-03-01,1,1,1,1,1\n";
  const { candles, stepMs } = parseCandles("own.csv", text, { symbol: "BTC/USDT" });
  expect(candles[0]?.openAt).toBe(Date.UTC(2020, 1, 29));
  expect(stepMs).toBe(86_400_000);
});

test("the step is the most common distance, and gaps stay gaps", () => {
  const bar = "1,1,1,1,1";
  const file = parse([`0,${bar}`, `60000,${bar}`, `120000,${bar}`, `600000,${bar}`]);
  expect(file.stepMs).toBe(MINUTE_MS);
  expect(file.candles.map((candle) => candle.openAt)).toEqual([0, 60_000, 120_000, 600_000]);
});

test("Windows line ends, a byte order mark and empty lines are accepted", () => {
  const text = `\uFEFF${HEADER}\r\n0,1,2,1,2,5\r\n\r\n60000,2,3,2,3,5\r\n`;
  expect(parseCandles("own.csv", text, { symbol: "X/Y" }).candles).toHaveLength(2);
});

test.each([
  ["a missing column", "timestamp_ms,open,high,low,close\n0,1,1,1,1", "line 1, column 6"],
  ["columns in another order", `timestamp_ms,high,open,low,close,volume\n0,1,1,1,1,1`, "line 1"],
  ["an unknown time column", "time,open,high,low,close,volume\n0,1,1,1,1,1", "line 1, column time"],
  ["an empty file", "", "line 1"],
  ["no bars", HEADER, "no bars"],
  ["a word for a price", `${HEADER}\n0,1,1,1,abc,1`, "line 2, column close: expected a number"],
  [
    "an empty field",
    `${HEADER}\n0,1,1,1,1,`,
    "line 2, column volume: expected a number, was empty",
  ],
  ["NaN", `${HEADER}\n0,NaN,1,1,1,1`, "line 2, column open"],
  ["Infinity", `${HEADER}\n0,1,1e999,1,1,1`, "line 2, column high"],
  ["a hexadecimal number", `${HEADER}\n0,0x10,16,16,16,1`, "line 2, column open"],
  ["a negative price", `${HEADER}\n0,1,1,-1,1,1`, "line 2, column low: expected more than 0"],
  ["a zero price", `${HEADER}\n0,0,1,1,1,1`, "line 2, column open: expected more than 0"],
  ["a negative volume", `${HEADER}\n0,1,1,1,1,-2`, "line 2, column volume: expected 0 or more"],
  ["high below low", `${HEADER}\n0,2,1,2,2,1`, "line 2, column high: high 1 is below low 2"],
  ["a close above the high", `${HEADER}\n0,1,2,1,3,1`, "line 2, column close: 3 is outside 1 .. 2"],
  ["a fractional time", `${HEADER}\n0.5,1,1,1,1,1`, "line 2, column timestamp_ms"],
  ["too few fields", `${HEADER}\n0,1,1,1`, "line 2, column 5: expected 6 fields, was 4"],
  ["too many fields", `${HEADER}\n0,1,1,1,1,1,9`, "line 2, column 7: expected 6 fields, was 7"],
  ["an unclosed quote", `${HEADER}\n0,"1,1,1,1,1`, "not a CSV file"],
  [
    "a day that does not exist",
    "date,open,high,low,close,volume\n2021-02-29,1,1,1,1,1",
    "line 2, column date: expected a day, was 2021-02-29",
  ],
  [
    "a repeated time",
    `${HEADER}\n0,1,1,1,1,1\n60000,1,1,1,1,1\n60000,1,1,1,1,1`,
    "line 4, column timestamp_ms: the same time as the line before",
  ],
  [
    "unsorted times",
    `${HEADER}\n60000,1,1,1,1,1\n0,1,1,1,1,1`,
    "line 3, column timestamp_ms: earlier than the line before",
  ],
  [
    "bars closer than the step",
    `${HEADER}\n0,1,1,1,1,1\n60000,1,1,1,1,1\n120000,1,1,1,1,1\n150000,1,1,1,1,1`,
    "line 5, column timestamp_ms: 30000 ms after the line before",
  ],
  ["a single bar without a given step", `${HEADER}\n0,1,1,1,1,1`, "give the step"],
])("%s is refused with its place", (_what, text, message) => {
  expect(() => parseCandles("own.csv", text, { symbol: "X/Y" })).toThrow(
    expect.objectContaining({
      code: "INVALID_DATA_FILE",
      message: expect.stringContaining(message),
    }),
  );
});

test("a refusal names the file and how to mend it", () => {
  expect(() => parse(["0,1,1,1,x,1"])).toThrow(
    "own.csv, line 2, column close: expected a number, was x; write it like 1234.5",
  );
});

test("a file that is not there is refused", async () => {
  await expect(readCandleFile("nowhere.csv", { symbol: "X/Y" })).rejects.toMatchObject({
    code: "INVALID_DATA_FILE",
    message: expect.stringContaining("nowhere.csv"),
  });
});

test.each(CANDLE_FILES)("the bundled $file can be read", async ({ file, symbol, stepMs }) => {
  const read = await readCandleFile(join(FOLDER, file), { symbol });
  expect(read.stepMs).toBe(stepMs);
  expect(read.candles.length).toBeGreaterThan(1000);
});

test.each(FUNDING_FILES)("the bundled $file can be read", async ({ file, symbol }) => {
  const { payments } = await readFundingFile(join(FOLDER, file), symbol);
  expect(payments.length).toBeGreaterThan(2);
});

test("a funding payment has its time in UTC and may be negative", () => {
  const { payments } = parseFunding("f.csv", "20221213 08:00:00,-0.00022398\n", "BTC/USDT");
  expect(payments).toEqual([{ at: Date.UTC(2022, 11, 13, 8), rate: -0.000_223_98 }]);
});

test.each([
  ["2022-12-13 08:00:00,0.1", "line 1, column time"],
  ["20221313 08:00:00,0.1", "line 1, column time"],
  ["20221213 08:00:00,", "line 1, column rate"],
  ["20221213 08:00:00", "expected 2 fields, was 1"],
  ["20221213 08:00:00,0.1\n20221213 08:00:00,0.1", "line 2, column time: the same time"],
])("the funding line %j is refused", (text, message) => {
  expect(() => parseFunding("f.csv", text, "BTC/USDT")).toThrow(message);
});

test("without a choice the daily file is replayed", async () => {
  const feed = await openReplayFeed({ folder: FOLDER });
  expect(feed.symbols).toEqual(["BTC/USDT"]);
  expect(feed.range).toEqual({ from: Date.UTC(2017, 7, 17), to: Date.UTC(2021, 0, 13) });
});

test("files of one symbol are played one after the other, funding comes along", async () => {
  const feed = await openReplayFeed({
    folder: FOLDER,
    files: [
      "coinbase-BTCUSD-1m-20180405.csv",
      "coinbase-BTCUSD-1m-20180404.csv",
      "bybit-BTCUSDT-1m-20221213.csv",
    ],
  });
  expect(feed.symbols).toEqual(["BTC/USD", "BTC/USDT"]);
  const day = Date.UTC(2022, 11, 13);
  const events = await feed.funding("BTC/USDT", day, day + 16 * 60 * MINUTE_MS);
  expect(events.map((event) => event.rate)).toEqual(["-0.00022398", "-0.00038555"]);
});

test("an unknown bundled file is refused with the known ones", async () => {
  await expect(openReplayFeed({ folder: FOLDER, files: ["doge.csv"] })).rejects.toMatchObject({
    code: "INVALID_DATA_FILE",
    message: expect.stringContaining("bitcoin-daily.csv"),
  });
});

test("an own file needs a symbol unless its name says it", async () => {
  const own = (path: string) => openReplayFeed({ folder: FOLDER, own: [{ path }] });
  await expect(own("mine.csv")).rejects.toThrow("put it into the name, like BTC-USDT-1h.csv");
  const feed = await own(join(FOLDER, "coinbase-ETHUSD-1m-20170903.csv"));
  expect(feed.symbols).toEqual(["ETH/USD"]);
});

test.each([
  ["SOL-USDT-1h.csv", "SOL/USDT"],
  ["kraken_ETH_EUR.csv", "ETH/EUR"],
  ["BTCUSD.csv", "BTC/USD"],
  ["venue-1000PEPEUSDC-5m.csv", "1000PEPE/USDC"],
])("the name %s says %s", async (name, symbol) => {
  const folder = await mkdtemp(join(tmpdir(), "candles-"));
  const path = join(folder, name);
  await writeFile(path, `${HEADER}\n0,1,1,1,1,1\n60000,1,1,1,1,1\n`);
  const feed = await openReplayFeed({ folder: FOLDER, own: [{ path }] });
  await rm(folder, { recursive: true });
  expect(feed.symbols).toEqual([symbol]);
});

function parse(lines: readonly string[]) {
  return parseCandles("own.csv", [HEADER, ...lines].join("\n"), { symbol: "X/Y" });
}
