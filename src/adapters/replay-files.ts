// Finds what a replay is to play: files of one's own, folders of them, or the bundled days.
import { readdir, stat } from "node:fs/promises";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { type BarStep, parseStep } from "./candles/bar-step.ts";
import { type CandleSeries, readCandleFile } from "./candles/candle-file.ts";
import { parseSymbol, stemOf, symbolInName } from "./candles/file-name.ts";
import { fileError, unreadable } from "./candles/file-problem.ts";
import { type FundingSeries, readFundingFile } from "./candles/funding-file.ts";
import type { ReplayRecording } from "./replay-feed.ts";

/** The one recorded file that comes along; its name does not say its symbol. */
const BUNDLED = { file: "bitcoin-daily.csv", symbol: "BTC/USDT" };

export interface ReplayFiles {
  /** Folder of the bundled file. */
  bundled: string;
  /** Files and folders, between commas or the system's path delimiter; each may begin with `BASE/QUOTE=`. */
  files?: string | undefined;
  /** Of files whose name does not say it, e.g. `1m`. */
  step?: string | undefined;
}

/** A file to read, and its symbol if the setting says it. */
interface Source {
  path: string;
  symbol?: string;
}

const TABLE = /\.(csv|txt|tsv|gz|zip)$/i;
const FUNDING = /funding/i;
const WITH_SYMBOL = /^([a-z0-9]{2,15}[/_-]?[a-z0-9]{2,15})=(.+)$/i;

/** Reads them all. @throws InvalidInputError INVALID_DATA_FILE for what is not there or damaged. */
export async function readRecording(options: ReplayFiles): Promise<ReplayRecording> {
  const sources = await sourcesOf(options);
  const step = options.step === undefined ? null : parseStep(options.step);
  const candles = sources.filter(({ path }) => !isFunding(path));
  const series: CandleSeries[] = [];
  for (const source of candles) series.push(await readSource(source, step));
  const named = sources.filter(({ path }) => isFunding(path));
  const beside = await Promise.all(
    candles.map(({ path }, index) => fundingBeside(path, series[index]?.symbol ?? "")),
  );
  return { series, funding: await readFunding([...named, ...beside.flat()]) };
}

const isFunding = (path: string): boolean => FUNDING.test(basename(path));

async function sourcesOf({ bundled, files }: ReplayFiles): Promise<Source[]> {
  if (files === undefined) return [{ path: join(bundled, BUNDLED.file) }];
  const found: Source[] = [];
  for (const item of await itemsOf(files)) found.push(...(await expand(item, bundled)));
  // The same file may be named and stand in a named folder.
  return [...new Map(found.map((source) => [resolve(source.path), source])).values()];
}

/** A path may have commas and colons in it: one that is there is taken whole. */
async function itemsOf(files: string): Promise<string[]> {
  if ((await kindOf(files)) !== null) return [files];
  return files
    .split(",")
    .flatMap((item) => item.split(delimiter))
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

async function expand(item: string, bundled: string): Promise<Source[]> {
  const kind = await kindOf(item);
  if (kind === "folder") return filesIn(item);
  if (kind === "file") return [{ path: item }];
  const [, symbol = "", path = ""] = WITH_SYMBOL.exec(item) ?? [];
  const pair = parseSymbol(symbol);
  if (pair !== null && (await kindOf(path)) === "file") return [{ path, symbol: pair }];
  if (item === BUNDLED.file) return [{ path: join(bundled, BUNDLED.file) }];
  throw fileError(
    item,
    `no such file or folder in ${process.cwd()}`,
    `write the path, like ./${basename(item)} or /path/to/${basename(item)}, or ${BUNDLED.file} for the bundled days`,
  );
}

async function kindOf(path: string): Promise<"file" | "folder" | null> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return "folder";
    if (found.isFile()) return "file";
  } catch (error) {
    if (isMissing(error)) return null;
    throw unreadable(path, error);
  }
  throw fileError(path, "not a regular file", "give a file or a folder");
}

const MISSING = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"]);
const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && MISSING.has(String(error.code));

async function filesIn(folder: string): Promise<Source[]> {
  const names = (await namesIn(folder)).filter((name) => TABLE.test(name));
  if (names.some((name) => !FUNDING.test(name))) {
    return names.map((name) => ({ path: join(folder, name) }));
  }
  throw fileError(
    folder,
    "no candle files (.csv, .txt, .tsv, .gz, .zip) in it",
    "give their folder",
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch (error) {
    throw unreadable(folder, error);
  }
}

function readSource({ path, symbol }: Source, step: BarStep | null): Promise<CandleSeries> {
  const known = symbol ?? (basename(path) === BUNDLED.file ? BUNDLED.symbol : undefined);
  return readCandleFile(path, {
    ...(known === undefined ? {} : { symbol: known }),
    ...(step === null ? {} : { step }),
  });
}

/** Funding is recorded apart: `NAME-funding.csv`, or a file with `funding` and the symbol in its name. */
async function fundingBeside(path: string, symbol: string): Promise<Source[]> {
  const stem = stemOf(basename(path)).toLowerCase();
  const isOf = (name: string): boolean =>
    stemOf(name).toLowerCase() === `${stem}-funding` || symbolInName(name) === symbol;
  const names = (await namesIn(dirname(path))).filter(
    (name) => TABLE.test(name) && FUNDING.test(name) && isOf(name),
  );
  return names.map((name) => ({ path: join(dirname(path), name), symbol }));
}

async function readFunding(sources: readonly Source[]): Promise<FundingSeries[]> {
  const once = new Map<string, Source>();
  for (const source of sources) {
    const known = once.get(resolve(source.path));
    once.set(resolve(source.path), { ...known, ...source });
  }
  const funding: FundingSeries[] = [];
  for (const { path, symbol = symbolInName(basename(path)) } of once.values()) {
    if (symbol === null || symbol === undefined) {
      throw fileError(path, "its symbol is not known", "name it like BTC-USDT-funding.csv");
    }
    funding.push(await readFundingFile(path, symbol));
  }
  return funding;
}
