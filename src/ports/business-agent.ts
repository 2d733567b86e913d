import type { AgentReading } from "#domain/analysis.ts";
import type { Candle, MarketSnapshot } from "#domain/market.ts";

/** What an agent may look at. It never sees a strategy. */
export interface AgentContext {
  /** The tick's time, ms UTC. */
  at: number;
  /** The definition's tick before this one, ms UTC: what closed later is new. Null: all of it is. */
  since: number | null;
  symbols: readonly string[];
  market: MarketSnapshot;
  /**
   * Up to `count` closed bars of the template's timeframe (its period), oldest first; empty when the
   * feed has none.
   */
  candles(symbol: string, count: number): Promise<Candle[]>;
  signal: AbortSignal;
}

/** Thrown (or returned) when the agent's source is not there: recorded as `unavailable`. */
export class SourceUnavailable extends Error {
  override readonly name = "SourceUnavailable";
}

/** Turns data into one reading; runs once per definition per tick, whatever the number of strategies. */
export interface BusinessAgent {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** Names of the tools it calls. */
  readonly tools: readonly string[];
  run(context: AgentContext): Promise<AgentReading>;
}
