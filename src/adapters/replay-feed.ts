import { decimal, toDecimalString } from "#domain/decimal.ts";
import { InvalidInputError } from "#domain/errors.ts";
import type { Candle, FundingEvent, Quote } from "#domain/market.ts";
import type { RecordedFeed } from "#ports/market-feed.ts";
import { stepText } from "./candles/bar-step.ts";
import type { CandleSeries } from "./candles/candle-file.ts";
import type { FundingSeries } from "./candles/funding-file.ts";
import { Track } from "./candles/track.ts";

/** A price older than this many steps is stale. */
const STALE_AFTER_STEPS = 2;

/** Everything a replay plays, read from files. Plain data: threads share its bars. */
export interface ReplayRecording {
  series: readonly CandleSeries[];
  funding?: readonly FundingSeries[];
}

/**
 * Plays recorded bars back. Several series of one symbol are joined; they must share a step and not
 * overlap. @throws InvalidInputError INVALID_DATA_FILE otherwise, and when there is no bar at all.
 */
export function createReplayFeed(recording: ReplayRecording): RecordedFeed {
  const tracks = joinSeries(recording.series);
  const payments = joinFunding(recording.funding ?? []);
  const all = [...tracks.values()];
  return {
    name: "replay",
    symbols: [...tracks.keys()],
    range: rangeOf(all),
    recordings: all.map((track) => ({
      symbol: track.symbol,
      files: track.files,
      step: stepText(track.step),
      bars: track.length,
      from: track.openAt(0),
      to: track.closeAt(track.length - 1),
      gaps: track.gaps,
      knowsVolume: track.knowsVolume,
      hasFunding: payments.has(track.symbol),
    })),
    quote: async (symbol, at, since) => quoteOf(tracks.get(symbol), at, since),
    candles: async (symbol, at, count) => candlesOf(tracks.get(symbol), at, count),
    stepMs: (symbol) => tracks.get(symbol)?.stepMs ?? null,
    funding: async (symbol, since, at) =>
      eventsOf(tracks.get(symbol), payments.get(symbol) ?? [], { since, at }),
  };
}

function joinSeries(series: readonly CandleSeries[]): Map<string, Track> {
  const tracks = new Map<string, Track>();
  const bySymbol = Map.groupBy(series, (one) => one.symbol);
  for (const [symbol, parts] of bySymbol) tracks.set(symbol, new Track(symbol, parts));
  return tracks;
}

type Payment = FundingSeries["payments"][number];

function joinFunding(funding: readonly FundingSeries[]): Map<string, readonly Payment[]> {
  const joined = new Map<string, readonly Payment[]>();
  for (const [symbol, parts] of Map.groupBy(funding, (one) => one.symbol)) {
    const payments = parts.flatMap((part) => part.payments).toSorted((a, b) => a.at - b.at);
    const twice = payments.find((payment, index) => payment.at === payments[index - 1]?.at);
    if (twice !== undefined) throw paidTwice(parts, twice.at);
    joined.set(symbol, payments);
  }
  return joined;
}

function paidTwice(parts: readonly FundingSeries[], at: number): InvalidInputError {
  const files = parts.map((part) => part.file).join(" and ");
  const message = `${files}: more than one funding payment at ${new Date(at).toISOString()}; keep one file for each time`;
  return new InvalidInputError("INVALID_DATA_FILE", message);
}

function rangeOf(tracks: readonly Track[]): { from: number; to: number } {
  if (tracks.length === 0) {
    throw new InvalidInputError("INVALID_DATA_FILE", "no bars to replay; give a candle file");
  }
  return {
    from: Math.min(...tracks.map((track) => track.closeAt(0))),
    to: Math.max(...tracks.map((track) => track.closeAt(track.length - 1))),
  };
}

function quoteOf(track: Track | undefined, at: number, since: number): Quote | null {
  const newest = track?.newestIndex(at) ?? -1;
  if (track === undefined || newest === -1) return null;
  const bar = track.candle(newest);
  const { low, high } = extremes(track, { first: track.newestIndex(since) + 1, last: newest });
  return {
    symbol: track.symbol,
    price: text(bar.close),
    at: bar.closeAt,
    quality: isStale(track, bar.closeAt, at) ? "stale" : "fresh",
    source: `replay:${track.fileOf(newest)}`,
    low: text(low),
    high: text(high),
    barVolume: bar.volume === null ? null : text(bar.volume),
  };
}

/**
 * Lowest and highest price of the bars `first`..`last`. With none, only the last close is known:
 * the newest bar's extremes were made before, and would trigger a protection they never touched.
 */
function extremes(
  track: Track,
  span: { first: number; last: number },
): { low: number; high: number } {
  const close = track.get(span.last, "close");
  let [low, high] = [close, close];
  for (let index = span.first; index <= span.last; index += 1) {
    low = Math.min(low, track.get(index, "low"));
    high = Math.max(high, track.get(index, "high"));
  }
  return { low, high };
}

function candlesOf(track: Track | undefined, at: number, count: number): Candle[] {
  if (track === undefined) return [];
  const end = track.newestIndex(at) + 1;
  const start = Math.max(0, end - Math.max(0, count));
  return Array.from({ length: end - start }, (_, index) => track.candle(start + index));
}

/** A payment while there was no fresh price is left out: its notional is not known. */
function eventsOf(
  track: Track | undefined,
  payments: readonly Payment[],
  span: { since: number; at: number },
): FundingEvent[] {
  if (track === undefined) return [];
  return payments
    .filter((payment) => payment.at > span.since && payment.at <= span.at)
    .flatMap(({ at, rate }) => {
      const newest = track.newestIndex(at);
      if (newest === -1 || isStale(track, track.closeAt(newest), at)) return [];
      const markPrice = text(track.get(newest, "close"));
      return [{ symbol: track.symbol, at, rate: text(rate), markPrice }];
    });
}

const isStale = (track: Track, closeAt: number, at: number): boolean =>
  at - closeAt > STALE_AFTER_STEPS * track.stepMs;

const text = (value: number): string => toDecimalString(decimal(value));
