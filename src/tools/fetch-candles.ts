import type { Candle } from "#domain/market.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import type { AgentContext } from "#ports/business-agent.ts";
import { isStill } from "./movement.ts";

/** Bars without news for longer than this many steps are not read as the present. */
const STALE_AFTER_STEPS = 2;

/**
 * The newest `needed` closed bars of a symbol in the template's timeframe, oldest first; fewer only of
 * a market that stands still (`isStill`), which is seen without its history.
 * @throws SourceUnavailable saying how many it needs and has, how old the newest is, or that there is
 * none since the tick before: a bar is read once.
 */
export async function fetchCandles(
  context: AgentContext,
  symbol: string,
  needed: number,
): Promise<Candle[]> {
  const candles = await context.candles(symbol, needed);
  const newest = candles.at(-1);
  if (newest === undefined || (candles.length < needed && !isStill(candles))) {
    throw new SourceUnavailable(`needs ${needed} bars of ${symbol}, has ${candles.length}`);
  }
  const closed = new Date(newest.closeAt).toISOString();
  const steps = (context.at - newest.closeAt) / (newest.closeAt - newest.openAt);
  if (steps > STALE_AFTER_STEPS) {
    throw new SourceUnavailable(`the newest bar of ${symbol} closed at ${closed}, too long ago`);
  }
  if (context.since !== null && newest.closeAt <= context.since) {
    throw new SourceUnavailable(`no new bar of ${symbol}: the newest closed at ${closed}`);
  }
  return candles;
}
