import { readFileSync } from "node:fs";
import type { AgentOutput, Analysis } from "#domain/analysis.ts";
import type { DecisionInput } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MarketFact, MarketFacts, Quote } from "#domain/market.ts";
import type { Holding, PortfolioView } from "#domain/portfolio.ts";
import type { z } from "zod";

export const NOW = Date.UTC(2024, 0, 15, 12);
export const SYMBOL = "BTC-USDT";

/** One file of tests/fixtures/known-answers, checked against the part of its shape a test uses. */
export function knownAnswers<Shape>(file: string, schema: z.ZodType<Shape>): Shape {
  const url = new URL(`../fixtures/known-answers/${file}`, import.meta.url);
  return schema.parse(JSON.parse(readFileSync(url, "utf8")));
}

export function reading(agent: string, score: number, data: JsonObject = {}): AgentOutput {
  return {
    agent,
    status: "ok",
    durationMs: 1,
    signal: "NEUTRAL",
    confidence: 0.8,
    score,
    reasoning: "test",
    data,
    provenance: [],
  };
}

export function failure(agent: string): AgentOutput {
  return { agent, status: "failed", reason: "source is down", durationMs: 1 };
}

export function analysisOf(...outputs: AgentOutput[]): Analysis {
  return Object.fromEntries(outputs.map((output) => [output.agent, output]));
}

export function fact(value: number): MarketFact {
  return { value, source: "test", at: NOW, derived: false };
}

/** A quiet market: nothing dampens a conviction and no breaker trips. */
export const CALM: MarketFacts = {
  fearGreed: fact(50),
  change24hPct: fact(0),
  dollarIndex: fact(100),
};

export function quote(price: string, quality: Quote["quality"] = "fresh"): Quote {
  return {
    symbol: SYMBOL,
    price,
    at: NOW,
    quality,
    source: "test",
    low: price,
    high: price,
    barVolume: "1000",
  };
}

export function longHolding(quantity: string, price: string, symbol = SYMBOL): Holding {
  return {
    symbol,
    type: "LONG",
    quantity,
    leverage: 1,
    entryPrice: price,
    cost: String(Number(quantity) * Number(price)),
    markPrice: price,
    markQuality: "fresh",
    notional: String(Number(quantity) * Number(price)),
    unrealizedPnl: "0",
    unrealizedPnlPct: "0",
    entryAt: NOW - 86_400_000,
    liquidationPrice: null,
  };
}

export function shortHolding(quantity: string, price: string, symbol = SYMBOL): Holding {
  return { ...longHolding(quantity, price, symbol), type: "SHORT", quantity: `-${quantity}` };
}

/** A portfolio worth cash plus holdings. */
export function portfolioOf(cash: string, holdings: Holding[] = []): PortfolioView {
  const exposure = String(holdings.reduce((sum, { notional }) => sum + Number(notional), 0));
  return {
    at: NOW,
    cash,
    totalValue: String(Number(cash) + Number(exposure)),
    realizedPnl: "0",
    unrealizedPnl: "0",
    grossExposure: exposure,
    netExposure: exposure,
    buyingPower: cash,
    holdings,
  };
}

/** A decision input in a quiet spot market; `overrides` replaces whole fields. */
export function decisionInput<Params>(
  params: Params,
  overrides: Partial<DecisionInput<Params>> = {},
): DecisionInput<Params> {
  return {
    tick: { id: "tick", scheduledFor: NOW },
    symbols: [SYMBOL],
    agents: [
      { name: "macro", required: false, weight: 0.4 },
      { name: "ta", required: false, weight: 0.2 },
      { name: "onchain", required: false, weight: 0.4 },
    ],
    analysis: {},
    market: { at: NOW, quotes: { [SYMBOL]: quote("50000") }, funding: [], facts: CALM },
    marketType: "spot",
    portfolio: portfolioOf("10000"),
    params,
    state: null,
    seed: "seed",
    ...overrides,
  };
}
