import type { Candle } from "#domain/market.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import type { AgentContext } from "#ports/business-agent.ts";

/** Bars asked for: twice the slowest average, so that its start no longer shows. */
const BARS = 400;

/** Bars without news for longer than this many steps are not read as the present. */
const STALE_AFTER_STEPS = 2;

/**
 * The newest closed bars of a symbol, oldest first, at least `needed` of them.
 * @throws SourceUnavailable saying how many it needs and has, or how old the newest is.
 */
export async function fetchCandles(
  context: AgentContext,
  symbol: string,
  needed: number,
): Promise<Candle[]> {
  const candles = await context.candles(symbol, BARS);
  const newest = candles.at(-1);
  if (newest === undefined || candles.length < needed) {
    throw new SourceUnavailable(`needs ${needed} bars of ${symbol}, has ${candles.length}`);
  }
  const steps = (context.at - newest.closeAt) / (newest.closeAt - newest.openAt);
  if (steps > STALE_AFTER_STEPS) {
    const closed = new Date(newest.closeAt).toISOString();
    throw new SourceUnavailable(`the newest bar of ${symbol} closed at ${closed}, too long ago`);
  }
  return candles;
}
