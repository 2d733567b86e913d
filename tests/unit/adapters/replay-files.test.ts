import { delimiter, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import { readRecording, type ReplayFiles } from "#adapters/replay-files.ts";
import {
  barsAt,
  dataFolder,
  type DataFolder,
  MINUTE_MS,
  minutes,
  NEW_YEAR,
} from "#support/data-files.ts";

const BUNDLED = "data/candles";
const BARS = barsAt(minutes(3));
const LATER = barsAt(minutes(6).slice(3));
const FUNDING = `${NEW_YEAR + MINUTE_MS},0.0001\n`;

describe("what is replayed", () => {
  test.each([
    ["without a word", undefined],
    ["by its name", "bitcoin-daily.csv"],
    ["by its path", "data/candles/bitcoin-daily.csv"],
    ["by its folder", "data/candles"],
  ])("the bundled days %s", async (_how, files) => {
    const [recording, ...more] = (await feedOf(files)).recordings;
    expect(more).toEqual([]);
    expect(recording).toEqual({
      symbol: "BTC/USDT",
      files: ["bitcoin-daily.csv"],
      step: "1d",
      bars: 1246,
      from: Date.UTC(2017, 7, 16),
      to: Date.UTC(2021, 0, 13),
      gaps: 0,
      knowsVolume: true,
      hasFunding: false,
    });
  });

  test.each([
    ["a path", (folder: DataFolder) => folder.of("ETHBTC-1m.csv")],
    [
      "a relative path without ./",
      (folder: DataFolder) => relative(".", folder.of("ETHBTC-1m.csv")),
    ],
  ])("an own file by %s", async (_how, files) => {
    await using folder = await dataFolder({ "ETHBTC-1m.csv": BARS });
    expect((await feedOf(files(folder))).symbols).toEqual(["ETH/BTC"]);
  });

  test.each([
    ["commas", ","],
    ["a comma and a space", ", "],
    ["the system's path delimiter", delimiter],
  ])("several files of several symbols, between %s", async (_how, between) => {
    await using folder = await dataFolder({
      "BTC-USDT.csv": BARS,
      "b.csv": BARS,
      "BTC-USDT-2.csv": LATER,
    });
    const files = ["BTC-USDT.csv", "BTC-USDT-2.csv"].map(folder.of);
    const feed = await feedOf([...files, `ETH/BTC=${folder.of("b.csv")}`].join(between));
    expect(feed.symbols).toEqual(["BTC/USDT", "ETH/BTC"]);
    expect(feed.recordings.map(({ files, bars }) => [files, bars])).toEqual([
      [["BTC-USDT.csv", "BTC-USDT-2.csv"], 6],
      [["b.csv"], 3],
    ]);
    expect(feed.range).toEqual({ from: NEW_YEAR + MINUTE_MS, to: NEW_YEAR + 6 * MINUTE_MS });
  });

  test("a folder, with what is packed in it and without what is no table", async () => {
    await using folder = await dataFolder({
      "BTC-USDT-1.csv": BARS,
      "BTC-USDT-2.csv.gz": gzipSync(LATER),
      "ETHBTC.txt": BARS,
      "README.md": "no bars",
      "old/BTC-USDT.csv": BARS,
    });
    const feed = await feedOf(folder.path);
    expect(feed.recordings.map(({ symbol, bars }) => [symbol, bars])).toEqual([
      ["BTC/USDT", 6],
      ["ETH/BTC", 3],
    ]);
  });

  test("a file that is named twice is read once", async () => {
    await using folder = await dataFolder({ "BTC-USDT.csv": BARS });
    const feed = await feedOf(`${folder.path},${folder.of("BTC-USDT.csv")}`);
    expect(feed.recordings).toMatchObject([{ bars: 3 }]);
  });

  test("a file whose name has a comma in it", async () => {
    await using folder = await dataFolder({ "BINANCE_BTCUSDT, 1.csv": BARS });
    expect((await feedOf(folder.of("BINANCE_BTCUSDT, 1.csv"))).symbols).toEqual(["BTC/USDT"]);
  });

  test("a file whose step only the setting says", async () => {
    const [first, , second, , , third] = minutes(6);
    await using folder = await dataFolder({
      "BTC-USDT.csv": barsAt([first, second, third].map(Number)),
    });
    const feed = await feedOf(folder.of("BTC-USDT.csv"), { step: "1m" });
    expect(feed.stepMs("BTC/USDT")).toBe(MINUTE_MS);
  });
});

describe("what is refused", () => {
  test("a name that no file has, with the path to write", async () => {
    await refuses("mine.csv", "mine.csv: no such file or folder in ");
    await refuses(
      "mine.csv",
      "write the path, like ./mine.csv or /path/to/mine.csv, or bitcoin-daily.csv for the bundled days",
    );
    await refuses("\u001B[2Jmine.csv", String.raw`\u001b[2Jmine.csv: no such file`);
  });

  test("a folder without a table", async () => {
    await using folder = await dataFolder({ "README.md": "no bars" });
    await refuses(folder.path, "no candle files (.csv, .txt, .tsv, .gz, .zip) in it");
  });

  test("what is neither file nor folder", async () => {
    await refuses("/dev/null", "/dev/null: not a regular file");
  });

  test("files of one symbol that overlap or differ in their step", async () => {
    await using folder = await dataFolder({
      "BTC-USDT-1m.csv": BARS,
      "BTC-USDT-again.csv": BARS,
      "BTC-USDT-1h.csv": barsAt([NEW_YEAR + 3_600_000]),
    });
    const paths = (...names: string[]) => names.map(folder.of).join(",");
    await refuses(
      paths("BTC-USDT-1m.csv", "BTC-USDT-again.csv"),
      "BTC-USDT-again.csv: overlaps BTC-USDT-1m.csv",
    );
    await refuses(
      paths("BTC-USDT-1m.csv", "BTC-USDT-1h.csv"),
      "has a step of 1h, BTC-USDT-1m.csv one of 1m",
    );
  });
});

describe("funding", () => {
  test.each([
    ["with the file's name", "BTC-USDT-1m-funding.csv"],
    ["with its symbol in its name", "BTCUSDT-fundingRate-2025-01.csv"],
  ])("stands beside a file %s", async (_how, name) => {
    await using folder = await dataFolder({
      "BTC-USDT-1m.csv": BARS,
      [name]: FUNDING,
      "ETHUSDT-funding.csv": "not read",
    });
    const feed = await feedOf(folder.of("BTC-USDT-1m.csv"));
    expect(feed.recordings).toMatchObject([{ hasFunding: true }]);
    expect(await feed.funding("BTC/USDT", NEW_YEAR, NEW_YEAR + MINUTE_MS)).toEqual([
      { symbol: "BTC/USDT", at: NEW_YEAR + MINUTE_MS, rate: "0.0001", markPrice: "11" },
    ]);
  });

  test("is found in a folder, once", async () => {
    await using folder = await dataFolder({
      "BTC-USDT-1m.csv": BARS,
      "BTC-USDT-funding.csv": FUNDING,
    });
    const feed = await feedOf(folder.path);
    expect(await feed.funding("BTC/USDT", NEW_YEAR, NEW_YEAR + MINUTE_MS)).toHaveLength(1);
  });

  test.each([
    [
      "the exchange's own columns",
      `calc_time,funding_interval_hours,last_funding_rate\n${NEW_YEAR + 60_000},8,-0.0003\n`,
      "-0.0003",
    ],
    ["dates without dashes", "20250101 00:01:00,-0.00022398\n", "-0.00022398"],
    ["seconds", `time,rate\n${NEW_YEAR / 1000 + 60},0\n`, "0"],
  ])("is read with %s", async (_what, text, rate) => {
    const feed = await withFunding(text);
    expect(await feed.funding("BTC/USDT", 0, Infinity)).toMatchObject([{ rate }]);
  });

  test.each([
    ["20251301 08:00:00,0.1", "line 1, column time: expected a time"],
    [`${NEW_YEAR},`, "line 1, column rate: expected a number, was empty"],
    [`${NEW_YEAR}`, "expected 2 fields, was 1"],
    [`${NEW_YEAR},0.1\n${NEW_YEAR},0.1`, "line 2, column time: the same time as the line before"],
    [
      `${NEW_YEAR},1.5`,
      "column rate: expected a fraction of at most 0.1, was 1.5; write 0.01 % as 0.0001",
    ],
    ["when,what\n1,2", "expected a header with time and rate, was when,what"],
  ])("of %j is refused", async (text, problem) => {
    await expect(withFunding(text)).rejects.toMatchObject({
      code: "INVALID_DATA_FILE",
      message: expect.stringContaining(problem),
    });
  });

  async function withFunding(text: string) {
    await using folder = await dataFolder({
      "BTC-USDT-1m.csv": BARS,
      "BTC-USDT-funding.csv": text,
    });
    return await feedOf(folder.of("BTC-USDT-1m.csv"));
  }
});

async function feedOf(files: string | undefined, options: Partial<ReplayFiles> = {}) {
  return createReplayFeed(await readRecording({ bundled: join(BUNDLED), files, ...options }));
}

async function refuses(files: string, problem: string): Promise<void> {
  await expect(feedOf(files)).rejects.toMatchObject({
    code: "INVALID_DATA_FILE",
    message: expect.stringContaining(problem),
  });
}
