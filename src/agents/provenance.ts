import type { Provenance } from "#domain/analysis.ts";
import type { Candle } from "#domain/market.ts";
import type { AgentContext } from "#ports/business-agent.ts";

/** Where indicators of a symbol came from: the source of its quote, as of its newest bar. */
export function candleProvenance(
  context: AgentContext,
  symbol: string,
  candles: readonly Candle[],
): Provenance {
  return {
    source: context.market.quotes[symbol]?.source ?? `candles of ${symbol}`,
    at: candles.at(-1)?.closeAt ?? context.at,
    derived: true,
  };
}
