import type { Candle, FundingEvent, MarketSnapshot, Quote } from "#domain/market.ts";

/** Where prices come from. Never shows a bar before it closed. */
export interface MarketFeed {
  readonly name: string;
  /** Symbols it can price. */
  readonly symbols: readonly string[];
  /** First and last instant it has data for; null when open-ended (live). */
  readonly range: { from: number; to: number } | null;
  /**
   * The price of `symbol` as known at `at`; low and high cover (`since`, `at`]. Null when there is
   * none: a gap stays a gap (I11).
   */
  quote(symbol: string, at: number, since: number): Promise<Quote | null>;
  /** Up to `count` bars closed at or before `at`, oldest first, of the feed's own step. */
  candles(symbol: string, at: number, count: number): Promise<Candle[]>;
  /**
   * Time from one bar of `symbol` to the next, ms; of bars cut by the calendar the usual one (a day, a
   * month of 30 days), for each bar says itself when it closed. Null: it has no bars of that symbol.
   */
  stepMs(symbol: string): number | null;
  /** Funding payments in (`since`, `at`], oldest first. */
  funding(symbol: string, since: number, at: number): Promise<FundingEvent[]>;
}

/** Everything known about `symbols` at `at`; ranges cover (`since`, `at`]. Frozen. */
export type ObserveMarket = (request: {
  symbols: readonly string[];
  at: number;
  since: number;
}) => Promise<MarketSnapshot>;
