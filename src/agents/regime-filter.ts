import { AgentSignal } from "#domain/analysis.ts";
import type { AgentReading, Provenance } from "#domain/analysis.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import type { AgentContext, BusinessAgent } from "#ports/business-agent.ts";
import { fetchCandles } from "#tools/fetch-candles.ts";
import { stillness } from "#tools/movement.ts";
import { average, round } from "#tools/numbers.ts";
import { readRegime, REGIME_BARS } from "#tools/regime.ts";
import type { Regime, RegimeFacts } from "#tools/regime.ts";
import { ToolName } from "#tools/registry.ts";
import { candleProvenance } from "./provenance.ts";

/** Tells how healthy the market of the first symbol is, so that risk can follow it. */
export const regimeFilterAgent: BusinessAgent = {
  name: "regime_filter",
  displayName: "Regime Filter",
  description: "Scores market health 0..100 from trend, volatility, drawdown, fear and funding.",
  tools: [ToolName.fetchCandles, ToolName.calculateIndicators, ToolName.readRegime],
  run,
};

async function run(context: AgentContext): Promise<AgentReading> {
  const [symbol] = context.symbols;
  if (symbol === undefined) throw new SourceUnavailable("no symbol to read");
  const candles = await fetchCandles(context, symbol, REGIME_BARS);
  const regime = readRegime(candles, factsOf(context, symbol));
  if (regime === null) throw new SourceUnavailable(`needs ${REGIME_BARS} bars of ${symbol}`);
  const score = round(regime.score, 2);
  return {
    signal: regime.still ? AgentSignal.neutral : signalOf(score),
    confidence: round(confidenceOf(regime), 4),
    score: round((score - 50) * 2, 2),
    reasoning: regime.still
      ? `${symbol} stands still: ${stillness(candles)}. ${describe(symbol, regime)}`
      : describe(symbol, regime),
    data: {
      regime_score: score,
      classification: regime.classification,
      components: regime.components,
      realized_volatility: regime.realizedVolatility,
    },
    provenance: [candleProvenance(context, symbol, candles), ...factProvenance(context)],
  };
}

function factsOf(context: AgentContext, symbol: string): RegimeFacts {
  const { facts, funding } = context.market;
  const payment = funding.findLast((event) => event.symbol === symbol);
  return {
    ...(facts.fearGreed === undefined ? {} : { fearGreed: facts.fearGreed.value }),
    ...(payment === undefined ? {} : { fundingRate: Number(payment.rate) }),
  };
}

function factProvenance(context: AgentContext): Provenance[] {
  const { fearGreed } = context.market.facts;
  if (fearGreed === undefined) return [];
  return [{ source: fearGreed.source, at: fearGreed.at, derived: fearGreed.derived }];
}

function signalOf(score: number): AgentSignal {
  if (score >= 60) return AgentSignal.bullish;
  return score < 40 ? AgentSignal.bearish : AgentSignal.neutral;
}

/** 0 of a market that stands still, 0.5 when the indicators cancel out, 1 when all agree with full force. */
const confidenceOf = (regime: Regime): number =>
  regime.still ? 0 : 0.5 + 0.5 * Math.abs(average(Object.values(regime.components)));

function describe(symbol: string, regime: Regime): string {
  const parts = Object.entries(regime.components).map(
    ([name, value]) => `${name} ${value < 0 ? "" : "+"}${round(value, 2)}`,
  );
  const volatility = round(regime.realizedVolatility * 100, 2);
  return `${symbol} regime ${round(regime.score, 1)} of 100 (${regime.classification}): ${parts.join(", ")}; volatility ${volatility} % a bar.`;
}
