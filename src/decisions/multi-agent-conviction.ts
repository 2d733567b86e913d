import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { MarketFact, MarketFacts } from "#domain/market.ts";
import type { PlanItem } from "#domain/trading.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { weighAgents, type MissingAgent, type Panel } from "./agent-weights.ts";
import { convictionParamsSchema, type ConvictionParams } from "./conviction-params.ts";
import { convictionDetails, explainConviction } from "./conviction-report.ts";
import { calculateConviction, type RiskFacts } from "./conviction.ts";
import { fractionOfHolding, freshPrice, holdingOf, quantityOf } from "./orders.ts";
import { generateSignal, purchaseRange, type TradeSignal } from "./signal.ts";
import { nextStreaks, streaksFromState, streaksToState, type Streaks } from "./streaks.ts";

type Input = DecisionInput<ConvictionParams>;

/**
 * Long-only trading of the definition's first symbol: the weighted scores of the agents become one
 * conviction, the conviction a purchase (fraction of the portfolio) or a sale (fraction of the
 * holding). A tripped breaker stops purchases only (I12).
 */
export const multiAgentConviction: DecisionAgent<ConvictionParams> = {
  name: "multi_agent_conviction",
  displayName: "Multi-agent conviction",
  description:
    "Weighs the scores of several agents into one conviction from 0 to 100 and buys or sells by it.",
  paramsSchema: convictionParamsSchema,
  purchaseRange,
  decide,
};

function decide(input: Input): Decision {
  const symbol = input.symbols[0];
  if (symbol === undefined) return abstain(input, "the definition names no symbol", []);
  const panel = weighAgents(input.agents, input.analysis, input.params.agent_weights);
  const warnings = panel.missing.map(missingWarning);
  const needed = panel.missing.find(({ required }) => required);
  if (needed !== undefined) {
    const reason = `the required agent ${needed.agent} is missing (${needed.reason})`;
    return abstain(input, reason, warnings);
  }
  if (panel.voices.length === 0) {
    return abstain(input, "no agent that counts gave a reading", warnings);
  }
  // A conviction of 50 that nobody stands for would still reach a threshold of 50.
  if (panel.confidence === 0) {
    return abstain(input, "no agent has any confidence in its reading", warnings);
  }
  const decision = decideOn(input, symbol, panel);
  return { ...decision, warnings: [...warnings, ...decision.warnings] };
}

function decideOn(input: Input, symbol: string, panel: Panel): Decision {
  const { facts, warnings } = readFacts(input.market.facts);
  const conviction = calculateConviction(panel.voices, facts);
  const streaks = streaksFromState(input.state);
  const signal = generateSignal({
    conviction: conviction.score,
    fearGreed: facts.fearGreed,
    change24hPct: facts.change24hPct,
    positionRatio: positionRatio(input, symbol),
    bullishCount: streaks.bullishCount,
    params: input.params,
    breakerScope: "buys_only",
  });
  const trade = signal.shouldExecute ? planTrade(input, symbol, signal) : null;
  const obstacle = typeof trade === "string" ? trade : null;
  const items =
    trade === null || typeof trade === "string"
      ? []
      : [toItem(trade, { symbol, signal, confidence: panel.confidence })];
  const outcome = { panel, conviction, signal, items, obstacle };
  const cycle = { signal, score: conviction.score };
  return {
    signal: signal.signal,
    items,
    rationale: explainConviction(outcome),
    warnings: [...warnings, ...signal.warnings],
    details: convictionDetails(outcome),
    state: streaksToState(streaksAfter(input, streaks, cycle)),
  };
}

/** A cycle without a conviction: nothing is traded and the streaks stay as they were. */
function abstain(input: Input, reason: string, warnings: string[]): Decision {
  return {
    signal: "HOLD",
    items: [],
    rationale: `Nothing is traded because ${reason}.`,
    warnings,
    details: { hold_reason: reason, should_execute: false },
    state: input.state,
  };
}

function streaksAfter(
  { params, tick }: Input,
  before: Streaks,
  { signal, score }: { signal: TradeSignal; score: number },
): Streaks {
  // A breaker says nothing about the agents' view, so it neither lengthens nor ends a streak.
  if (signal.branch === "circuit_breaker") return { ...before, lastScore: score };
  const cycle = { signal: signal.signal, score, at: tick.scheduledFor };
  return nextStreaks(before, cycle, {
    buy: params.buy_threshold,
    fullSell: params.full_sell_threshold,
  });
}

function readFacts(known: MarketFacts): { facts: RiskFacts; warnings: string[] } {
  const warnings: string[] = [];
  const read = (fact: MarketFact | undefined, name: string): number | null => {
    if (fact !== undefined && Number.isFinite(fact.value)) return fact.value;
    warnings.push(`the ${name} is not available and does not enter the decision`);
    return null;
  };
  const facts = {
    fearGreed: read(known.fearGreed, "fear & greed index"),
    change24hPct: read(known.change24hPct, "24 h change"),
    dollarIndex: read(known.dollarIndex, "dollar index"),
  };
  return { facts, warnings };
}

function positionRatio({ portfolio }: Input, symbol: string): number {
  const holding = holdingOf(portfolio, symbol);
  const total = Number(portfolio.totalValue);
  if (holding?.type !== "LONG" || !(total > 0)) return 0;
  return Number(holding.notional) / total;
}

type Trade = Pick<PlanItem, "action" | "quantity" | "leverage">;

/** What to trade, or the reason why nothing can be traded. */
function planTrade(input: Input, symbol: string, { signal, size }: TradeSignal): Trade | string {
  return signal === "BUY" ? purchase(input, symbol, size) : sale(input, symbol, size);
}

function purchase(
  { market, portfolio, marketType }: Input,
  symbol: string,
  size: number,
): Trade | string {
  const price = freshPrice(market, symbol);
  if (price === null) return `There is no fresh price of ${symbol}, so nothing new is opened.`;
  const value = Math.min(Number(portfolio.totalValue) * size, Number(portfolio.buyingPower));
  const quantity = quantityOf(value / price);
  if (quantity === null) return "There is no money left to buy with.";
  return { action: "open_long", quantity, ...(marketType === "perpetual" ? { leverage: 1 } : {}) };
}

function sale({ portfolio }: Input, symbol: string, size: number): Trade | string {
  const holding = holdingOf(portfolio, symbol);
  const quantity = holding?.type === "LONG" ? fractionOfHolding(holding, size) : null;
  return quantity === null ? "There is nothing to sell." : { action: "close_long", quantity };
}

function toItem(
  trade: Trade,
  { symbol, signal, confidence }: { symbol: string; signal: TradeSignal; confidence: number },
): PlanItem {
  return { symbol, ...trade, confidence, rationale: signal.reasons[0] ?? signal.branch };
}

function missingWarning({ agent, reason }: MissingAgent): string {
  return `agent ${agent} is missing (${reason})`;
}
