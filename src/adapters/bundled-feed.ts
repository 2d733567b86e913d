import { basename, join } from "node:path";
import { DomainError } from "#domain/errors.ts";
import type { MarketFeed } from "#ports/market-feed.ts";
import { CANDLE_FILES, FUNDING_FILES } from "./candle-catalogue.ts";
import { readCandleFile, readFundingFile } from "./candle-file.ts";
import type { CandleFile } from "./candle-file.ts";
import { createReplayFeed } from "./replay-feed.ts";

export const DEFAULT_CANDLE_FILE = "bitcoin-daily.csv";

/** A candle file of the user's own. */
export interface OwnCandleFile {
  path: string;
  /** Base/quote; left out, the file name says it: a bundled one, or like `BTC-USDT-1h.csv`. */
  symbol?: string;
  /** ms between two bars; inferred when left out. */
  stepMs?: number;
}

const SYMBOL_IN_NAME = /(?:^|[^A-Z0-9])([A-Z0-9]{2,10}?)[-_]?(USDT|USDC|USD|EUR)(?![A-Z0-9])/;

export interface BundledFeedOptions {
  /** Folder of the bundled files. */
  folder: string;
  /** Names of bundled files to replay; `bitcoin-daily.csv` when there is no other. */
  files?: readonly string[];
  own?: readonly OwnCandleFile[];
}

/**
 * Opens the replay feed over bundled or own candle files, with the funding recorded for their symbols.
 * @throws DomainError INVALID_DATA_FILE for a file that is unknown, unreadable or damaged.
 */
export async function openReplayFeed(options: BundledFeedOptions): Promise<MarketFeed> {
  const own = options.own ?? [];
  const names = options.files ?? (own.length === 0 ? [DEFAULT_CANDLE_FILE] : []);
  const series = await Promise.all([
    ...names.map((name) => readBundled(options.folder, name)),
    ...own.map(readOwn),
  ]);
  const symbols = new Set(series.map((one) => one.symbol));
  const funding = await Promise.all(
    FUNDING_FILES.filter((entry) => symbols.has(entry.symbol)).map((entry) =>
      readFundingFile(join(options.folder, entry.file), entry.symbol),
    ),
  );
  return createReplayFeed({ series, funding });
}

function readBundled(folder: string, name: string): Promise<CandleFile> {
  const entry = CANDLE_FILES.find((candidate) => candidate.file === name);
  if (entry !== undefined) return readCandleFile(join(folder, entry.file), entry);
  const known = CANDLE_FILES.map((candidate) => candidate.file).join(", ");
  throw new DomainError(
    "INVALID_DATA_FILE",
    `${name}: not a bundled file; expected one of ${known}`,
  );
}

function readOwn(own: OwnCandleFile): Promise<CandleFile> {
  const entry = CANDLE_FILES.find((candidate) => candidate.file === basename(own.path));
  const symbol = own.symbol ?? entry?.symbol ?? symbolIn(basename(own.path));
  const stepMs = own.stepMs ?? entry?.stepMs;
  if (symbol === undefined) {
    const message = `${own.path}: its symbol is not known; put it into the name, like BTC-USDT-1h.csv`;
    throw new DomainError("INVALID_DATA_FILE", message);
  }
  return readCandleFile(own.path, { symbol, ...(stepMs === undefined ? {} : { stepMs }) });
}

function symbolIn(file: string): string | undefined {
  const [, base, quote] = SYMBOL_IN_NAME.exec(file) ?? [];
  return base === undefined || quote === undefined ? undefined : `${base}/${quote}`;
}
