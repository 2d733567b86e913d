import type { MarketFact, MarketFacts, MarketSnapshot, Quote } from "#domain/market.ts";
import type { MarketFeed } from "#ports/market-feed.ts";
import { barsOf } from "./bars.ts";
import { FEAR_GREED_BARS, fearGreedFact } from "#tools/fear-greed.ts";

const DAY_MS = 86_400_000;

export interface Observation {
  feed: MarketFeed;
  /** In the definition's order; the first is the one the facts are about. */
  symbols: readonly string[];
  /** The tick's time, ms UTC. */
  at: number;
  /** The previous tick's time, ms UTC. */
  since: number;
  /** Of the bars that facts are derived from; left out: the feed's own. */
  timeframeMs?: number;
}

/** Takes what the feed knows at `at` as one frozen snapshot. What is not known is not in it (I11). */
export async function observeMarket(observation: Observation): Promise<MarketSnapshot> {
  const { feed, symbols, at, since, timeframeMs = 0 } = observation;
  const quotes = await Promise.all(symbols.map((symbol) => feed.quote(symbol, at, since)));
  const funding = await Promise.all(symbols.map((symbol) => feed.funding(symbol, since, at)));
  const known = quotes.filter((quote) => quote !== null);
  const first = quotes[0] ?? null;
  return freeze({
    at,
    quotes: Object.fromEntries(known.map((quote) => [quote.symbol, quote])),
    funding: funding.flat().toSorted((a, b) => a.at - b.at),
    facts: await factsOf(feed, first, { at, timeframeMs }),
  });
}

/** Facts about an old price would be taken for the present: with a stale quote there are none. */
async function factsOf(
  feed: MarketFeed,
  quote: Quote | null,
  bars: { at: number; timeframeMs: number },
): Promise<MarketFacts> {
  if (quote === null || quote.quality === "stale") return {};
  const request = { ...bars, symbol: quote.symbol, count: FEAR_GREED_BARS };
  const fearGreed = fearGreedFact(await barsOf(feed, request), quote.source);
  const change24hPct = await changeFact(feed, quote);
  return {
    ...(fearGreed === null ? {} : { fearGreed }),
    ...(change24hPct === null ? {} : { change24hPct }),
  };
}

/** Null unless a bar closed 24 hours before the quote, give or take one bar in a gap. */
async function changeFact(feed: MarketFeed, quote: Quote): Promise<MarketFact | null> {
  const then = quote.at - DAY_MS;
  const [bar] = await feed.candles(quote.symbol, then, 1);
  if (bar === undefined) return null;
  const stepMs = bar.closeAt - bar.openAt;
  if (stepMs > DAY_MS || then - bar.closeAt >= stepMs) return null;
  const value = (Number(quote.price) / bar.close - 1) * 100;
  return { value, source: quote.source, at: quote.at, derived: true };
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
