import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Bars } from "#adapters/candles/bars.ts";
import { type CandleFileOptions, readCandleFile } from "#adapters/candles/candle-file.ts";
import {
  barsAt,
  dataFolder,
  HEADER,
  MINUTE_MS,
  minutes,
  NEW_YEAR,
  zipOf,
} from "#support/data-files.ts";

const NAME = "BTC-USDT.csv";
const TIMES = minutes(3);
const BARS = barsAt(TIMES);
/** What is read of a file at a time. */
const PIECE_BYTES = 262_144;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

test("a bar has its six numbers", async () => {
  const { symbol, bars } = await read(BARS);
  expect(symbol).toBe("BTC/USDT");
  const first = { openAt: NEW_YEAR, open: 10, high: 12, low: 9, close: 11, volume: 3.5 };
  expect(bars.at(0)).toEqual(first);
  expect(bars.length).toBe(3);
});

test("a bar held takes no more than 64 bytes", async () => {
  const { bars } = await read(barsAt(minutes(20_000)));
  const bytes = bars.data.blocks.reduce((sum, block) => sum + block.byteLength, 0);
  expect(bytes / bars.length).toBeLessThan(64);
});

describe("times", () => {
  test.each([
    ["seconds", (at: number) => String(at / 1000)],
    ["seconds with a fraction", (at: number) => `${at / 1000}.0`],
    ["milliseconds", String],
    ["milliseconds in scientific notation", (at: number) => at.toExponential()],
    ["microseconds", (at: number) => `${at}000`],
    ["nanoseconds", (at: number) => `${at}000000`],
    ["ISO dates", (at: number) => new Date(at).toISOString()],
    ["dates with a space", (at: number) => dateAndTime(at)],
    ["dates without seconds", (at: number) => dateAndTime(at).slice(0, 16)],
    ["dates with slashes", (at: number) => dateAndTime(at).replaceAll("-", "/")],
    ["dates with points", (at: number) => dateAndTime(at).replaceAll("-", ".")],
    ["compact dates", (at: number) => dateAndTime(at).replaceAll("-", "")],
    ["dates that name their zone", (at: number) => `${dateAndTime(at)} UTC`],
    ["dates of another zone", (at: number) => `${dateAndTime(at + 8 * HOUR_MS)}+08:00`],
  ])("in %s are read", async (_format, write) => {
    expect(await timesOf(barsAt(TIMES.map(write)))).toEqual(TIMES);
  });

  test.each([
    ["2024-02-29", "2024-03-01"],
    ["2024/02/29", "2024/03/01"],
    ["20240229", "20240301"],
  ])("the day %s opens at midnight UTC", async (day, next) => {
    expect(await timesOf(barsAt([day, next]))).toEqual([Date.UTC(2024, 1, 29), Date.UTC(2024, 2)]);
  });

  test.each([
    ["milliseconds to microseconds", [NEW_YEAR, `${NEW_YEAR + MINUTE_MS}000`]],
    ["microseconds to milliseconds", [`${NEW_YEAR}000`, NEW_YEAR + MINUTE_MS]],
    ["seconds to milliseconds", [NEW_YEAR / 1000, NEW_YEAR + MINUTE_MS]],
    ["milliseconds to dates", [NEW_YEAR, "2025-01-01T00:01:00Z"]],
  ])("that change from %s are refused at their line", async (units, times) => {
    await refuses(barsAt(times), `line 3, column timestamp_ms: the times change from ${units}`);
  });

  test.each([
    ["8640000000000000", "as microseconds the year 2243"],
    ["8640000000000001", "as seconds no date"],
    ["99999999999999999999999999", "expected a time from 1970 to 2099"],
    ["45658", "as seconds the year 1970"],
    ["0", "expected a time from 1970 to 2099"],
    ["-1735689600", "expected a time from 1970 to 2099"],
    ["202501010000", "as milliseconds the year 1976"],
    ["2021-02-29", "was 2021-02-29"],
    ["2025-01-01 24:00:00", "was 2025-01-01 24:00:00"],
    ["01/02/2025", "write UTC dates as yyyy-mm-dd"],
    ["2500-01-01", "was 2500-01-01"],
    ["", "was empty"],
  ])("nobody could mean are refused: %s", async (time, problem) => {
    await refuses(barsAt([time]), "line 2, column timestamp_ms: expected a time");
    await refuses(barsAt([time]), problem);
  });
});

describe("columns", () => {
  test.each([
    ["another order", "close,low,high,open,volume,time", `11,9,12,10,3.5,${NEW_YEAR}`],
    ["capitals and spaces", '"Open Time", Open ,HIGH,Low,Close,Volume', row(NEW_YEAR)],
    [
      "more columns than needed",
      "id,Date,Open,High,Low,Close,Adj Close,Volume",
      `7,${NEW_YEAR},10,12,9,11,99,3.5`,
    ],
    ["short names", "t,o,h,l,c,v", row(NEW_YEAR)],
    [
      "MetaTrader's signs",
      "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
      "2025.01.01,00:00:00,10,12,9,11,3.5",
    ],
    [
      "two volumes",
      "unix,date,symbol,open,high,low,close,Volume USDT,Volume BTC",
      `${NEW_YEAR},x,BTC/USDT,10,12,9,11,99,3.5`,
    ],
  ])("with a header of %s are found by name", async (_what, header, line) => {
    const { bars } = await read(`${header}\n${line}\n`, { name: "BTC-USDT-1m.csv" });
    expect(bars.at(0)).toEqual({
      openAt: NEW_YEAR,
      open: 10,
      high: 12,
      low: 9,
      close: 11,
      volume: 3.5,
    });
  });

  test.each([
    [5, row(NEW_YEAR).replace(",3.5", ""), NaN],
    [6, row(NEW_YEAR), 3.5],
    [7, `${row(NEW_YEAR)},42`, 3.5],
    [8, `${NEW_YEAR},10,12,9,11,10.5,3.5,42`, 3.5],
    [12, `${row(NEW_YEAR)},${NEW_YEAR + 59_999},38.5,7,1.5,16.5,0`, 3.5],
  ])(
    "%i without a header are known from the exchanges' own dumps",
    async (_count, line, volume) => {
      const { bars } = await read(`${line}\n`, { name: "BTC-USDT-1m.csv" });
      expect(bars.at(0)).toMatchObject({ openAt: NEW_YEAR, close: 11, volume });
    },
  );

  test("a dump whose day and time stand apart is read", async () => {
    const text = "2025.01.01,00:00,10,12,9,11,3\n2025.01.01,00:01,10,12,9,11,3\n";
    expect(await timesOf(text)).toEqual(minutes(2));
  });

  test("remarks before the header are skipped", async () => {
    expect(await timesOf(`https://example.org\n# a remark\n${BARS}`)).toEqual(TIMES);
  });

  test.each([
    [
      "no close",
      "time,open,high,low,volume\n",
      "line 1: expected a header with time, open, high, low, close, found no close",
    ],
    ["no header of any kind", "hello\n", "found no time, open, high, low, close in hello"],
    [
      "ten columns without a header",
      `${row(NEW_YEAR)},1,2,3,4\n`,
      "no header, and 10 columns that no known exchange writes",
    ],
    [
      "twelve columns of something else",
      `${row(NEW_YEAR)},1,2,3,4,5,6\n`,
      "column 7 of 12 is no closing time",
    ],
    [
      "too few fields",
      `${HEADER}\n${NEW_YEAR},1,1,1\n`,
      "line 2, column 5: expected 6 fields, was 4",
    ],
    [
      "too many fields",
      `${HEADER}\n${row(NEW_YEAR)},9\n`,
      "line 2, column 7: expected 6 fields, was 7",
    ],
  ])("of %s are refused", async (_what, text, problem) => {
    await refuses(text, problem);
  });
});

describe("text", () => {
  const utf16 = (text: string) => Buffer.from(text, "utf16le");
  test.each([
    ["Windows line ends", BARS.replaceAll("\n", "\r\n")],
    ["old Mac line ends", BARS.replaceAll("\n", "\r")],
    ["a header with CRLF and bars with LF", BARS.replace("\n", "\r\n")],
    ["mixed line ends", BARS.replace(/\n([^\n]*)\n/, "\r\n$1\r")],
    ["no end of its last line", BARS.trimEnd()],
    ["empty lines", BARS.replaceAll("\n", "\n\n \n")],
    ["a byte order mark", `\uFEFF${BARS}`],
    ["UTF-16 with its mark", utf16(`\uFEFF${BARS}`)],
    ["UTF-16 without its mark", utf16(BARS)],
    ["UTF-16 of the other byte order", utf16(`\uFEFF${BARS}`).swap16()],
    ["semicolons", BARS.replaceAll(",", ";")],
    ["semicolons and decimal commas", BARS.replaceAll(",", ";").replaceAll(".", ",")],
    [
      "semicolons and decimal commas without a header",
      BARS.replaceAll(",", ";").replaceAll(".", ",").replace(/^.*\n/, ""),
    ],
    ["tabs", BARS.replaceAll(",", "\t")],
    ["quotes around its fields", BARS.replaceAll(/[^,\n]+/g, '"$&"')],
    ["spaces around its fields", BARS.replaceAll(",", " , ")],
    ["gzip", gzipSync(BARS)],
    [
      "gzip in several members",
      Buffer.concat([gzipSync(BARS.slice(0, 60)), gzipSync(BARS.slice(60))]),
    ],
    ["zip", zipOf({ "any.csv": BARS })],
    ["zip without compression", zipOf({ "any.csv": BARS }, false)],
    [
      "zip with a folder and what macOS adds",
      zipOf({ "a/": "", "a/any.csv": BARS, "__MACOSX/a/._any.csv": "x" }),
    ],
    ["a zip of UTF-16", zipOf({ "any.csv": `\uFEFF${BARS}` })],
  ])("with %s is read", async (_what, content) => {
    expect(await timesOf(content)).toEqual(TIMES);
    expect((await read(content)).bars.get(0, "volume")).toBe(3.5);
  });

  test("bars are read across the pieces a file comes in", async () => {
    const many = minutes(30_000);
    expect(await timesOf(barsAt(many).replaceAll("\n", "\r\n"))).toEqual(many);
    expect(await timesOf(gzipSync(barsAt(many)))).toEqual(many);
  });

  test("a line end cut in two by the piece it comes in counts as one", async () => {
    const bars = `${barsAt(minutes(9000)).replaceAll("\n", "\r\n")}end\r\n`;
    const texts = Array.from({ length: 80 }, (_, index) => `#${"x".repeat(index)}\r\n${bars}`);
    const text = texts.find((candidate) => candidate.charAt(PIECE_BYTES - 1) === "\r");
    await refuses(text ?? "", "line 9003, column 2: expected 6 fields, was 1");
  });

  test.each([
    ["a gzip that ends early", gzipSync(BARS).subarray(0, 60), "a damaged archive"],
    ["a zip that ends early", zipOf({ "a.csv": BARS }).subarray(0, 90), "a damaged zip archive"],
    ["a zip with a wrong byte", spoiled(zipOf({ "a.csv": BARS }, false)), "its checksum is wrong"],
    [
      "a zip of two files",
      zipOf({ "a.csv": BARS, "b.csv": BARS }),
      "expected an archive of one file, was of 2",
    ],
    [
      "an Excel workbook",
      zipOf({ "[Content_Types].xml": "x", "xl/a.xml": "y" }),
      "an Excel workbook",
    ],
    ["an xz archive", Buffer.from("fd377a585a0000", "hex"), "compressed with xz; unpack it"],
    ["bytes that are no text", Buffer.from([1, 2, 3, 0, 0, 0, 7, 8]), "not a text file"],
    ["JSON", `[[${NEW_YEAR},"1"]]`, "JSON, not CSV"],
    ["a web page", "<!DOCTYPE html><html>", "a web page"],
    ["an unclosed quote", `${HEADER}\n${NEW_YEAR},"1,1,1,1,1\n`, "line 2: a quote is not closed"],
    ["a line without end", "1".repeat(70_000), "a line of more than 65536 characters"],
    ["nothing at all", "", "no bars"],
    ["a header alone", HEADER, "no bars"],
  ])("%s is refused in words", async (_what, content, problem) => {
    await refuses(content, problem);
  });

  test("what a file says steers no terminal", async () => {
    const steering = `${HEADER}\n${NEW_YEAR},\u001B[31m\u0007\u202Ex,1,1,1,1\n`;
    await refuses(steering, String.raw`expected a number, was \u001b[31m\u0007\u202ex`);
    await refuses(barsAt(["x".repeat(500)]), `was ${"x".repeat(80)}…`);
  });

  test("a file that is not there is refused", async () => {
    await expect(readCandleFile("nowhere.csv", { symbol: "X/Y" })).rejects.toMatchObject({
      code: "INVALID_DATA_FILE",
      message: expect.stringContaining("nowhere.csv: cannot be read"),
    });
  });
});

describe("the step", () => {
  const [first, , second, , , third] = minutes(6);
  const sparse = [first, second, third].map(Number);

  test.each([
    ["BTC-USDT-1m.csv", "1m"],
    ["BTCUSDT_1min.csv", "1m"],
    ["BTCUSDT-M1-2025.csv", "1m"],
    ["Binance_BTCUSDT_minute.csv", "1m"],
  ])("comes from the name %s when bars without a trade are left out", async (name, step) => {
    const file = await read(barsAt(sparse), { name });
    expect(file.step).toEqual({ unit: "ms", size: MINUTE_MS });
    expect({ step, gaps: file.gaps }).toEqual({ step: "1m", gaps: 2 });
  });

  test("is else the smallest distance of which all are multiples", async () => {
    const { step, gaps } = await read(
      barsAt([0, 5, 10, 40].map((at) => NEW_YEAR + at * MINUTE_MS)),
    );
    expect(step).toEqual({ unit: "ms", size: 5 * MINUTE_MS });
    expect(gaps).toBe(1);
  });

  test("is refused with the setting where there is no such distance", async () => {
    await refuses(barsAt(sparse), "the step is not clear: bars are as close as 120000 ms");
    await refuses(barsAt(sparse), "set TROUPE_REPLAY_STEP, e.g. TROUPE_REPLAY_STEP=1m");
    await refuses(barsAt([NEW_YEAR]), "one bar does not show its step; set TROUPE_REPLAY_STEP");
  });

  test("comes from the setting where the name does not say it", async () => {
    const minute = { unit: "ms", size: MINUTE_MS } as const;
    expect(await read(barsAt(sparse), { step: minute })).toMatchObject({ step: minute });
    const hour = { unit: "ms", size: HOUR_MS } as const;
    const named = await read(barsAt(sparse), { name: "BTC-USDT-1m.csv", step: hour });
    expect(named.step).toEqual(minute);
  });

  test("closer bars than the name says are refused", async () => {
    await refuses(
      BARS,
      "line 3, column timestamp_ms: 60000 ms from the line before, closer than one step of 1h",
      { name: "BTC-USDT-1h.csv" },
    );
    await refuses(BARS, "correct the step in the file's name", { name: "BTC-USDT-1h.csv" });
  });

  const months = [0, 1, 2, 3, 4].map((month) => Date.UTC(2024, month));
  test.each([
    ["UTC", months],
    ["Shanghai", months.map((at) => at - 8 * HOUR_MS)],
    [
      "New York, over a change of clocks",
      months.map((at, month) => at + (month < 3 ? 5 : 4) * HOUR_MS),
    ],
    ["UTC, with a month left out", months.filter((_, index) => index !== 2)],
  ])("of calendar months of %s is a month", async (_zone, times) => {
    expect((await read(barsAt(times))).step).toEqual({ unit: "month", size: 1 });
    const named = await read(barsAt(times), { name: "BTC-USDT-1M.csv" });
    expect(named.step).toEqual({ unit: "month", size: 1 });
    // Where a file system does not tell capitals apart.
    expect((await read(barsAt(times), { name: "BTC-USDT-1m.csv" })).step.unit).toBe("month");
  });

  test("of days cut at a local midnight is a day, over both changes of clocks", async () => {
    const berlin = Array.from({ length: 366 }, (_, day) => {
      const summer = day >= 91 && day < 301;
      return Date.UTC(2024, 0, 1 + day) - (summer ? 2 : 1) * HOUR_MS;
    });
    for (const name of [NAME, "BTC-USDT-1d.csv", "BTC-USDT-daily.csv"]) {
      const { step, gaps } = await read(barsAt(berlin), { name });
      expect({ step, gaps }).toEqual({ step: { unit: "day", size: 1 }, gaps: 0 });
    }
  });

  test.each([
    ["days without weekends", [1, 2, 3, 6, 7], 1],
    ["weeks", [1, 8, 15, 29], 7],
  ])("of %s is found", async (_what, days, size) => {
    const times = days.map((day) => Date.UTC(2024, 0, day));
    expect(await read(barsAt(times))).toMatchObject({ step: { unit: "day", size }, gaps: 1 });
  });

  test("of a month refuses a bar in the middle of one", async () => {
    const times = [Date.UTC(2024, 0, 1), Date.UTC(2024, 1, 15)];
    await refuses(
      barsAt(times),
      "line 3, column timestamp_ms: expected the first of a month, was 2024-02-15T00:00:00.000Z",
      { name: "BTC-USDT-1M.csv" },
    );
  });
});

describe("order", () => {
  test("a file that begins with its newest bar is turned round", async () => {
    expect(await timesOf(barsAt(TIMES.toReversed()))).toEqual(TIMES);
  });

  test.each([
    ["a repeated time", [0, 1, 1], "line 4, column timestamp_ms: the same time as the line before"],
    [
      "a bar out of order",
      [0, 1, 0],
      "earlier than the line before, in a file from oldest to newest",
    ],
    [
      "a bar out of order, newest first",
      [2, 1, 2],
      "later than the line before, in a file from newest to oldest",
    ],
  ])("%s is refused", async (_what, order, problem) => {
    await refuses(barsAt(order.map((index) => NEW_YEAR + index * DAY_MS)), problem);
  });
});

describe("numbers", () => {
  test.each([
    ["a word", "1,1,1,abc,1", "column close: expected a number, was abc"],
    ["nothing", "1,1,1,,1", "column close: expected a number, was empty"],
    ["NaN", "NaN,1,1,1,1", "column open: expected a number, was NaN"],
    ["more than a number can hold", "1,1e999,1,1,1", "column high: expected a number"],
    ["a hexadecimal number", "0x10,16,16,16,1", "column open: expected a number"],
    [
      "marks between thousands",
      '"1,234.5",1,1,1,1',
      "column open: expected a number, was 1,234.5; write it without marks between thousands",
    ],
    ["a negative price", "1,1,-1,1,1", "column low: expected more than 0"],
    ["a price of zero", "0,1,1,1,1", "column open: expected more than 0"],
    ["a negative volume", "1,1,1,1,-2", "column volume: expected 0 or more"],
    ["a high below the low", "2,1,2,2,1", "column high: high 1 is below low 2"],
    ["a close above the high", "1,2,1,3,1", "column close: 3 is outside 1 .. 2"],
  ])("%s is refused with its place", async (_what, numbers, problem) => {
    await refuses(`${HEADER}\n${NEW_YEAR},${numbers}\n`, `line 2, ${problem}`);
  });

  test.each([
    ["0.0000119", 0.000_011_9],
    ["1.19e-05", 0.000_011_9],
    [".5", 0.5],
    ["94000.00000000", 94_000],
  ])("%s is read as it is", async (price, expected) => {
    const { bars } = await read(`${HEADER}\n${NEW_YEAR},${price},${price},${price},${price},1\n`, {
      name: "BTC-USDT-1m.csv",
    });
    expect(bars.get(0, "close")).toBe(expected);
  });
});

describe("volume", () => {
  test("of 0 in every bar is not known", async () => {
    const { bars, knowsVolume } = await read(BARS.replaceAll(",3.5", ",0"));
    expect({ knowsVolume, volume: bars.get(1, "volume") }).toEqual({
      knowsVolume: false,
      volume: NaN,
    });
  });

  test("of 0 in one bar is 0 when others have some", async () => {
    const { bars, knowsVolume } = await read(BARS.replace(",3.5", ",0"));
    expect({ knowsVolume, volume: bars.get(0, "volume") }).toEqual({
      knowsVolume: true,
      volume: 0,
    });
  });

  test.each(["", "nan", "null", "N/A"])("written as %j is not known", async (volume) => {
    const { bars, knowsVolume } = await read(BARS.replace(",3.5", `,${volume}`));
    expect(knowsVolume).toBe(true);
    expect([bars.get(0, "volume"), bars.get(1, "volume")]).toEqual([NaN, 3.5]);
  });

  test("without a column is not known", async () => {
    const { knowsVolume } = await read(BARS.replaceAll(/,[^,\n]*$/gm, ""));
    expect(knowsVolume).toBe(false);
  });
});

describe("the symbol", () => {
  const header = "timestamp,symbol,open,high,low,close";
  const lines = (...symbols: string[]) =>
    [header, ...symbols.map((symbol, index) => `${TIMES[index]},${symbol},1,1,1,1`)].join("\n");

  test("comes from its column where the name does not say it", async () => {
    const { symbol } = await read(lines("ETHBTC", "ETHBTC"), { name: "mine.csv" });
    expect(symbol).toBe("ETH/BTC");
  });

  test("that changes within a file is refused", async () => {
    await refuses(
      lines("ETHBTC", "XRPETH"),
      "line 3, column symbol: the symbol changes from ETHBTC to XRPETH",
    );
  });

  test("that nothing says is refused with what to do", async () => {
    await refuses(BARS, "its symbol is not known; put it into the name, like BTC-USDT-1h.csv", {
      name: "mine.csv",
    });
  });
});

type Content = string | Uint8Array;
type Options = CandleFileOptions & { name?: string };

async function read(content: Content, { name = NAME, ...options }: Options = {}) {
  await using folder = await dataFolder({ [name]: content });
  const series = await readCandleFile(folder.of(name), options);
  return { ...series, bars: new Bars(series.bars) };
}

async function timesOf(content: Content): Promise<number[]> {
  const { bars } = await read(content);
  return Array.from({ length: bars.length }, (_, index) => bars.get(index, "openAt"));
}

async function refuses(content: Content, problem: string, options: Options = {}): Promise<void> {
  const { name = NAME } = options;
  await expect(read(content, options)).rejects.toMatchObject({
    code: "INVALID_DATA_FILE",
    message: expect.stringContaining(problem),
  });
  await expect(read(content, options)).rejects.toThrow(name);
}

function row(at: number): string {
  return `${at},10,12,9,11,3.5`;
}

const dateAndTime = (at: number): string =>
  new Date(at).toISOString().slice(0, 19).replace("T", " ");

/** A digit of the data is another one. */
function spoiled(archive: Buffer): Buffer {
  archive.write("4", archive.indexOf("3.5"));
  return archive;
}
