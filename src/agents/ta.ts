import { AgentSignal } from "#domain/analysis.ts";
import type { AgentReading } from "#domain/analysis.ts";
import type { Candle } from "#domain/market.ts";
import { priceText } from "#domain/price-text.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import type { AgentContext, BusinessAgent } from "#ports/business-agent.ts";
import { fetchCandles } from "#tools/fetch-candles.ts";
import { isStill, stillness } from "#tools/movement.ts";
import { average, clamp, round } from "#tools/numbers.ts";
import { ToolName } from "#tools/registry.ts";
import { readTechnicals, TECHNICAL_BARS } from "#tools/technical-reading.ts";
import type { TechnicalReading } from "#tools/technical-reading.ts";
import { candleProvenance } from "./provenance.ts";

/** Beyond this score the reading has a direction. */
const DIRECTION_SCORE = 20;

const WEIGHTS = { trend: 0.3, crossing: 0.25, momentum: 0.25, strength: 0.2 };

/** Reads the first symbol's chart by fixed rules. */
export const taAgent: BusinessAgent = {
  name: "ta",
  displayName: "Momentum Scout",
  description: "Scores trend and momentum of the first symbol from its candles, by fixed rules.",
  tools: [ToolName.fetchCandles, ToolName.calculateIndicators],
  run,
};

async function run(context: AgentContext): Promise<AgentReading> {
  const symbol = firstSymbol(context);
  const candles = await fetchCandles(context, symbol, TECHNICAL_BARS);
  const provenance = [candleProvenance(context, symbol, candles)];
  if (isStill(candles)) return { ...stillReading(symbol, candles), provenance };
  const reading = readTechnicals(candles);
  if (reading === null) throw new SourceUnavailable(`needs ${TECHNICAL_BARS} bars of ${symbol}`);
  const parts = scoreParts(reading);
  const score = round(100 * weighted(parts), 2);
  return {
    signal: signalOf(score),
    confidence: round(agreement(parts), 4),
    score,
    reasoning: describe(symbol, reading, score),
    data: { symbol, ...reading, parts },
    provenance,
  };
}

function stillReading(symbol: string, candles: readonly Candle[]) {
  const close = candles.at(-1)?.close ?? NaN;
  return {
    signal: AgentSignal.neutral,
    confidence: 0,
    score: 0,
    reasoning: `${symbol} stands still at ${priceText(close)}: ${stillness(candles)}.`,
    data: { symbol, close, still: true },
  };
}

function firstSymbol(context: AgentContext): string {
  const [symbol] = context.symbols;
  if (symbol === undefined) throw new SourceUnavailable("no symbol to read");
  return symbol;
}

/** The four views of the chart, −1 (sell) .. 1 (buy). Distances are measured in ATRs. */
type Parts = { trend: number; crossing: number; momentum: number; strength: number };

function scoreParts(reading: TechnicalReading): Parts {
  const inAtr = (distance: number): number => (reading.atr14 > 0 ? distance / reading.atr14 : 0);
  return {
    trend: clamp(inAtr(reading.close - reading.sma200) / 5, -1, 1),
    crossing: clamp(inAtr(reading.ema20 - reading.ema50) / 2, -1, 1),
    momentum: clamp(inAtr(reading.macdHistogram) / 0.3, -1, 1),
    strength: strengthOf(reading),
  };
}

/** Follows the RSI up to the extremes, where it turns: overbought is no reason to buy. */
function strengthOf(reading: TechnicalReading): number {
  if (reading.rsi14 > 70 && reading.close > reading.bollingerUpper) return -0.5;
  if (reading.rsi14 < 30 && reading.close < reading.bollingerLower) return 0.5;
  return clamp((reading.rsi14 - 50) / 20, -1, 1);
}

const weighted = (parts: Parts): number =>
  parts.trend * WEIGHTS.trend +
  parts.crossing * WEIGHTS.crossing +
  parts.momentum * WEIGHTS.momentum +
  parts.strength * WEIGHTS.strength;

/** 0.3 when the views cancel out, 1 when all of them point the same way with full force. */
function agreement(parts: Parts): number {
  return 0.3 + 0.7 * Math.abs(average(Object.values(parts)));
}

function signalOf(score: number): AgentSignal {
  if (score >= DIRECTION_SCORE) return AgentSignal.bullish;
  return score <= -DIRECTION_SCORE ? AgentSignal.bearish : AgentSignal.neutral;
}

function describe(symbol: string, reading: TechnicalReading, score: number): string {
  const price = (value: number): string => priceText(value, reading.close);
  const side = (above: boolean): string => (above ? "above" : "below");
  return [
    `${symbol} closed at ${price(reading.close)},`,
    `${side(reading.close > reading.sma200)} its SMA 200 of ${price(reading.sma200)};`,
    `EMA 20 ${price(reading.ema20)} is ${side(reading.ema20 > reading.ema50)}`,
    `EMA 50 ${price(reading.ema50)}.`,
    `MACD ${price(reading.macd)} against its signal ${price(reading.macdSignal)},`,
    `RSI ${round(reading.rsi14, 1)},`,
    `Bollinger bands ${price(reading.bollingerLower)} to ${price(reading.bollingerUpper)},`,
    `ATR ${price(reading.atr14)}. Score ${score}.`,
  ].join(" ");
}
