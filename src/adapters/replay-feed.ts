import { barsOf } from "#domain/bars.ts";
import { decimal, toDecimalString } from "#domain/decimal.ts";
import { DomainError } from "#domain/errors.ts";
import type { Candle, FundingEvent, Quote } from "#domain/market.ts";
import type { MarketFeed } from "#ports/market-feed.ts";

/** A price older than this many steps is stale. */
const STALE_AFTER_STEPS = 2;

/** Closed bars of one symbol, oldest first, without overlaps. */
export interface ReplaySeries {
  /** Shown as the quotes' source. */
  file: string;
  symbol: string;
  stepMs: number;
  candles: readonly Candle[];
}

/** Funding payments of one symbol, oldest first. */
export interface ReplayFunding {
  symbol: string;
  /** `at` in ms UTC, `rate` as a fraction of the notional. */
  payments: readonly { at: number; rate: number }[];
}

/** Every bar of one symbol with the file it came from. */
interface Track {
  symbol: string;
  stepMs: number;
  candles: Candle[];
  /** By index, as `candles`. */
  files: string[];
}

/**
 * Plays recorded bars back. Several series of one symbol are joined; they must share a step and not
 * overlap. @throws DomainError INVALID_DATA_FILE otherwise.
 */
export function createReplayFeed(recording: {
  series: readonly ReplaySeries[];
  funding?: readonly ReplayFunding[];
}): MarketFeed {
  const tracks = joinSeries(recording.series);
  const funding = recording.funding ?? [];
  return {
    name: "replay",
    symbols: [...tracks.keys()],
    range: rangeOf([...tracks.values()]),
    quote: async (symbol, at, since) => quoteOf(tracks.get(symbol), at, since),
    candles: async (symbol, at, count) => candlesOf(tracks.get(symbol), at, count),
    stepMs: (symbol) => tracks.get(symbol)?.stepMs ?? null,
    funding: async (symbol, since, at) =>
      funding
        .filter((payments) => payments.symbol === symbol)
        .flatMap((payments) => eventsOf(payments, tracks.get(symbol), { since, at }))
        .toSorted((a, b) => a.at - b.at),
  };
}

function joinSeries(series: readonly ReplaySeries[]): Map<string, Track> {
  const tracks = new Map<string, Track>();
  const byStart = series
    .filter((one) => one.candles.length > 0)
    .toSorted((a, b) => openOf(a) - openOf(b));
  for (const one of byStart) {
    const track = tracks.get(one.symbol) ?? {
      symbol: one.symbol,
      stepMs: one.stepMs,
      candles: [],
      files: [],
    };
    append(track, one);
    tracks.set(one.symbol, track);
  }
  return tracks;
}

const openOf = (series: ReplaySeries): number => series.candles[0]?.openAt ?? 0;

function append(track: Track, series: ReplaySeries): void {
  const previous = track.files.at(-1);
  if (track.stepMs !== series.stepMs) {
    throw clash(series, `has a step of ${series.stepMs} ms, ${previous} one of ${track.stepMs} ms`);
  }
  if (openOf(series) < (track.candles.at(-1)?.closeAt ?? -Infinity)) {
    throw clash(series, `overlaps ${previous}`);
  }
  for (const candle of series.candles) {
    track.candles.push(candle);
    track.files.push(series.file);
  }
}

function clash(series: ReplaySeries, problem: string): DomainError {
  const message = `${series.file}: ${problem}; replay ${series.symbol} from one of them`;
  return new DomainError("INVALID_DATA_FILE", message, {
    details: { file: series.file, symbol: series.symbol },
  });
}

function rangeOf(tracks: readonly Track[]): { from: number; to: number } | null {
  if (tracks.length === 0) return null;
  return {
    from: Math.min(...tracks.map((track) => track.candles[0]?.closeAt ?? Infinity)),
    to: Math.max(...tracks.map((track) => track.candles.at(-1)?.closeAt ?? -Infinity)),
  };
}

function quoteOf(track: Track | undefined, at: number, since: number): Quote | null {
  const newest = newestIndex(track, at);
  const bar = track?.candles[newest];
  if (track === undefined || bar === undefined) return null;
  const span = { first: newestIndex(track, since) + 1, last: newest };
  const { low, high } = extremes(track, span);
  return {
    symbol: track.symbol,
    price: text(bar.close),
    at: bar.closeAt,
    quality: isStale(track, bar, at) ? "stale" : "fresh",
    source: `replay:${track.files[newest]}`,
    low: text(low),
    high: text(high),
    barVolume: bar.volume === null ? null : text(bar.volume),
    bars: barsOf(track.candles.slice(span.first, span.last + 1)),
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
  const close = track.candles[span.last]?.close ?? NaN;
  let [low, high] = [close, close];
  for (const bar of track.candles.slice(span.first, span.last + 1)) {
    low = Math.min(low, bar.low);
    high = Math.max(high, bar.high);
  }
  return { low, high };
}

function candlesOf(track: Track | undefined, at: number, count: number): Candle[] {
  const end = newestIndex(track, at) + 1;
  return track?.candles.slice(Math.max(0, end - Math.max(0, count)), end) ?? [];
}

/** A payment while there was no fresh price is left out: its notional is not known. */
function eventsOf(
  funding: ReplayFunding,
  track: Track | undefined,
  span: { since: number; at: number },
): FundingEvent[] {
  return funding.payments
    .filter((payment) => payment.at > span.since && payment.at <= span.at)
    .flatMap((payment) => {
      const bar = track?.candles[newestIndex(track, payment.at)];
      if (track === undefined || bar === undefined || isStale(track, bar, payment.at)) return [];
      const { symbol } = funding;
      return [{ symbol, at: payment.at, rate: text(payment.rate), markPrice: text(bar.close) }];
    });
}

const isStale = (track: Track, bar: Candle, at: number): boolean =>
  at - bar.closeAt > STALE_AFTER_STEPS * track.stepMs;

/** Index of the newest bar closed at or before `at`, −1 when there is none. */
function newestIndex(track: Track | undefined, at: number): number {
  const candles = track?.candles ?? [];
  let [low, high] = [0, candles.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((candles[middle]?.closeAt ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const text = (value: number): string => toDecimalString(decimal(value));
