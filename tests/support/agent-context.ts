import type { Candle, MarketFacts, FundingEvent } from "#domain/market.ts";
import type { AgentContext } from "#ports/business-agent.ts";

/** What an agent sees at the close of the newest of these bars. */
export function agentContext(
  candles: Readonly<Record<string, Candle[]>>,
  options: { at?: number; since?: number; facts?: MarketFacts; funding?: FundingEvent[] } = {},
): AgentContext {
  const closes = Object.values(candles).map((bars) => bars.at(-1)?.closeAt ?? 0);
  const at = options.at ?? Math.max(0, ...closes);
  return {
    at,
    since: options.since ?? null,
    symbols: Object.keys(candles),
    market: { at, quotes: {}, funding: options.funding ?? [], facts: options.facts ?? {} },
    candles: async (symbol, count) => candles[symbol]?.slice(-count) ?? [],
    signal: new AbortController().signal,
  };
}
