import { AgentSignal } from "#domain/analysis.ts";
import type { AgentReading, Provenance } from "#domain/analysis.ts";
import type { Candle } from "#domain/market.ts";
import { priceText } from "#domain/price-text.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import type { AgentContext, BusinessAgent } from "#ports/business-agent.ts";
import { fetchCandles } from "#tools/fetch-candles.ts";
import { LEAST_REWARD, readMomentum, STOP_LOSS_ATR } from "#tools/momentum.ts";
import type { MomentumReading } from "#tools/momentum.ts";
import { isStill, stillness } from "#tools/movement.ts";
import { round } from "#tools/numbers.ts";
import { ToolName } from "#tools/registry.ts";
import { readTechnicals, TECHNICAL_BARS } from "#tools/technical-reading.ts";
import { candleProvenance } from "./provenance.ts";

/** Looks for the symbol whose trend and momentum agree best, long or short. */
export const taMomentumAgent: BusinessAgent = {
  name: "ta_momentum",
  displayName: "Momentum Hunter",
  description: "Finds the strongest long or short among the symbols, by fixed rules.",
  tools: [ToolName.fetchCandles, ToolName.calculateIndicators],
  run,
};

/** One symbol, in the words momentum decisions read. */
type Opportunity = {
  symbol: string;
  signal: MomentumReading["signal"];
  signal_strength: number;
  confidence: number;
  entry_price: number;
  atr: number | null;
  stop_loss_distance_atr: number;
  take_profit_rr: number;
  reasoning: string;
};

interface Looked {
  opportunity: Opportunity;
  provenance: Provenance;
}

async function run(context: AgentContext): Promise<AgentReading> {
  const looks = await Promise.allSettled(context.symbols.map((symbol) => look(context, symbol)));
  const looked = looks.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const missing = looks.flatMap((one) => (one.status === "rejected" ? [reasonOf(one.reason)] : []));
  if (looked.length === 0) throw new SourceUnavailable(missing.join("; ") || "no symbol to read");

  const opportunities = looked.map((one) => one.opportunity);
  const best = strongest(opportunities);
  return {
    signal: signalOf(best),
    confidence: best?.confidence ?? Math.max(...opportunities.map((one) => one.confidence)),
    score: scoreOf(best),
    reasoning: [...opportunities.map((one) => one.reasoning), ...missing].join(" "),
    data: {
      best_opportunity: best,
      assets: Object.fromEntries(opportunities.map((one) => [one.symbol, one])),
    },
    provenance: looked.map((one) => one.provenance),
  };
}

async function look(context: AgentContext, symbol: string): Promise<Looked> {
  const candles = await fetchCandles(context, symbol, TECHNICAL_BARS);
  const provenance = candleProvenance(context, symbol, candles);
  if (isStill(candles)) return { opportunity: noOpportunity(symbol, candles), provenance };
  const technicals = readTechnicals(candles);
  if (technicals === null) throw new SourceUnavailable(`needs ${TECHNICAL_BARS} bars of ${symbol}`);
  const momentum = readMomentum(technicals);
  const opportunity: Opportunity = {
    symbol,
    signal: momentum.signal,
    signal_strength: momentum.strength,
    confidence: round(momentum.confidence, 4),
    entry_price: technicals.close,
    atr: technicals.atr14,
    stop_loss_distance_atr: momentum.stopLossAtr,
    take_profit_rr: momentum.takeProfitRatio,
    reasoning: `${symbol} ${momentum.signal} at ${priceText(technicals.close)}: ${momentum.reasons.join(", ")}.`,
  };
  return { opportunity, provenance };
}

function noOpportunity(symbol: string, candles: readonly Candle[]): Opportunity {
  const close = candles.at(-1)?.close ?? NaN;
  return {
    symbol,
    signal: "NEUTRAL",
    signal_strength: 0,
    confidence: 0,
    entry_price: close,
    atr: null,
    stop_loss_distance_atr: STOP_LOSS_ATR,
    take_profit_rr: LEAST_REWARD,
    reasoning: `${symbol} stands still at ${priceText(close)}: ${stillness(candles)}.`,
  };
}

/** A symbol without data is said so beside the others; anything else is a failure of the run. */
function reasonOf(error: unknown): string {
  if (error instanceof SourceUnavailable) return error.message;
  throw error;
}

function strongest(opportunities: readonly Opportunity[]): Opportunity | null {
  const [best] = opportunities
    .filter((one) => one.signal !== "NEUTRAL")
    .toSorted((a, b) => b.signal_strength - a.signal_strength || b.confidence - a.confidence);
  return best ?? null;
}

function signalOf(best: Opportunity | null): AgentSignal {
  if (best === null) return AgentSignal.neutral;
  return best.signal === "LONG" ? AgentSignal.bullish : AgentSignal.bearish;
}

function scoreOf(best: Opportunity | null): number {
  if (best === null) return 0;
  return round((best.signal === "LONG" ? 100 : -100) * best.signal_strength, 2);
}
