import type { DecimalString } from "./decimal.ts";

/** One closed bar. Times are ms UTC; `openAt + stepMs` is its close. */
export interface Candle {
  openAt: number;
  closeAt: number;
  open: number;
  high: number;
  low: number;
  close: number;
  /** Traded quantity in base currency; null: not known, which is not the same as nobody trading. */
  volume: number | null;
}

/** A bar that closed between two ticks, as exits are looked for in it. Times are ms UTC. */
export interface Bar {
  openAt: number;
  closeAt: number;
  open: DecimalString;
  high: DecimalString;
  low: DecimalString;
  close: DecimalString;
  /** Traded quantity in base currency; null: not known, and nothing is limited by it. */
  volume: DecimalString | null;
}

/** The price of one symbol as seen at a tick. */
export interface Quote {
  symbol: string;
  /** Last price in quote currency. */
  price: DecimalString;
  /** When that price was made, ms UTC (the close of `bar`). */
  at: number;
  /** `stale`: older than the feed's freshness limit; nothing new may be opened on it. */
  quality: "fresh" | "stale";
  /** Where it came from, e.g. `replay:bitcoin-daily.csv`. */
  source: string;
  /** Lowest and highest price since the previous tick, for protections and liquidation. */
  low: DecimalString;
  high: DecimalString;
  /**
   * Quantity traded in the last bar, base currency: the paper channel's volume limit. Null: not known,
   * and nothing is limited by it.
   */
  barVolume: DecimalString | null;
  /**
   * Bars closed since the previous tick, oldest first, the last of them at `at`; many fine ones are
   * merged. Absent where the feed knows a price and a range only.
   */
  bars?: readonly Bar[];
}

/** One funding payment time of a perpetual between two ticks. */
export interface FundingEvent {
  symbol: string;
  /** ms UTC */
  at: number;
  /** Fraction of notional; positive: longs pay shorts. */
  rate: DecimalString;
  /** Price the notional is taken at. */
  markPrice: DecimalString;
}

/** A derived or fetched number beside the prices, with where it came from. */
export interface MarketFact {
  value: number;
  source: string;
  /** When it was true, ms UTC. */
  at: number;
  /** Computed from other data rather than published by its source. */
  derived: boolean;
}

/** Facts the decision agents know by name; a missing key means "not available", never a default. */
export interface MarketFacts {
  /** Fear & greed index, 0 (fear) .. 100 (greed). */
  fearGreed?: MarketFact;
  /** Change of the first symbol over 24 hours, in percent (`-3.2` is −3.2 %). */
  change24hPct?: MarketFact;
  /** US dollar index. */
  dollarIndex?: MarketFact;
}

/** Everything a tick knew about the market; stored with the tick and frozen for all its cycles. */
export interface MarketSnapshot {
  /** The tick's time, ms UTC. */
  at: number;
  /** Quotes by symbol; a symbol without a price is absent. */
  quotes: Record<string, Quote>;
  /** Funding payments since the previous tick, oldest first. */
  funding: FundingEvent[];
  facts: MarketFacts;
}
