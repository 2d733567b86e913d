import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MarketFact, MarketFacts } from "#domain/market.ts";
import type { PlanItem } from "#domain/trading.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { weighAgents, type MissingAgent, type Panel } from "./agent-weights.ts";
import { convictionParamsSchema, type ConvictionParams } from "./conviction-params.ts";
import { calculateConviction, type Conviction, type RiskFacts } from "./conviction.ts";
import { fractionOfHolding, freshPrice, holdingOf, quantityOf } from "./orders.ts";
import { generateSignal, type TradeSignal } from "./signal.ts";
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
  decide,
};

function decide(input: Input): Decision {
  const symbol = input.symbols[0];
  if (symbol === undefined) return abstain(input, "the definition names no symbol", []);
  const panel = weighAgents(input.agents, input.analysis, input.params.agent_weights);
  const warnings = panel.missing.map(missingWarning);
  const needed = panel.missing.find(({ required }) => required);
  if (needed !== undefined) {
    return abstain(
      input,
      `the required agent ${needed.agent} is missing (${needed.reason})`,
      warnings,
    );
  }
  if (panel.voices.length === 0)
    return abstain(input, "no agent that counts gave a reading", warnings);
  return decideOn(input, symbol, panel, warnings);
}

function decideOn(input: Input, symbol: string, panel: Panel, warnings: string[]): Decision {
  const facts = readFacts(input.market.facts, warnings);
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
  const order = planOrder(input, symbol, signal, panel.confidence);
  return {
    signal: signal.signal,
    items: order.items,
    rationale: rationale(panel, conviction, signal, order.obstacle),
    warnings: [...warnings, ...signal.warnings],
    details: details(panel, conviction, signal, order),
    state: streaksToState(streaksAfter(input, streaks, signal, conviction.score)),
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

function streaksAfter(input: Input, before: Streaks, signal: TradeSignal, score: number): Streaks {
  // A breaker says nothing about the agents' view, so it neither lengthens nor ends a streak.
  if (signal.branch === "circuit_breaker") return { ...before, lastScore: score };
  return nextStreaks(
    before,
    { signal: signal.signal, score, at: input.tick.scheduledFor },
    { buy: input.params.buy_threshold, fullSell: input.params.full_sell_threshold },
  );
}

function readFacts(facts: MarketFacts, warnings: string[]): RiskFacts {
  return {
    fearGreed: readFact(facts.fearGreed, "fear & greed index", warnings),
    change24hPct: readFact(facts.change24hPct, "24 h change", warnings),
    dollarIndex: readFact(facts.dollarIndex, "dollar index", warnings),
  };
}

function readFact(fact: MarketFact | undefined, name: string, warnings: string[]): number | null {
  if (fact !== undefined && Number.isFinite(fact.value)) return fact.value;
  warnings.push(`the ${name} is not available and does not enter the decision`);
  return null;
}

function positionRatio({ portfolio }: Input, symbol: string): number {
  const holding = holdingOf(portfolio, symbol);
  const total = Number(portfolio.totalValue);
  if (holding?.type !== "LONG" || !(total > 0)) return 0;
  return Number(holding.notional) / total;
}

interface PlannedOrder {
  items: PlanItem[];
  /** Why a signal that wanted to trade did not; null when it did or did not want to. */
  obstacle: string | null;
}

function planOrder(
  input: Input,
  symbol: string,
  signal: TradeSignal,
  confidence: number,
): PlannedOrder {
  if (!signal.shouldExecute) return { items: [], obstacle: null };
  const order =
    signal.signal === "BUY"
      ? purchase(input, symbol, signal.size)
      : sale(input, symbol, signal.size);
  if (typeof order === "string") return { items: [], obstacle: order };
  const rationale = signal.reasons[0] ?? signal.branch;
  return { items: [{ symbol, ...order, confidence, rationale }], obstacle: null };
}

type Trade = Pick<PlanItem, "action" | "quantity" | "leverage">;

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

function missingWarning({ agent, reason }: MissingAgent): string {
  return `agent ${agent} is missing (${reason})`;
}

function rationale(
  panel: Panel,
  conviction: Conviction,
  signal: TradeSignal,
  obstacle: string | null,
): string {
  const voices = panel.voices.map(
    ({ agent, score, weight }) => `${agent} ${score.toFixed(0)} × ${weight.toFixed(2)}`,
  );
  const parts = [
    `The agents say ${voices.join(", ")}; market risk scales that by ${conviction.riskFactor.toFixed(2)}.`,
  ];
  if (panel.missing.length > 0) {
    const names = panel.missing.map(({ agent }) => agent).join(", ");
    parts.push(`Without ${names} the others count for more and the confidence is lower.`);
  }
  parts.push(...signal.reasons);
  if (obstacle !== null) parts.push(obstacle);
  parts.push(`Risk is ${signal.riskLevel.toLowerCase()}.`);
  return parts.join(" ");
}

function details(
  panel: Panel,
  conviction: Conviction,
  signal: TradeSignal,
  order: PlannedOrder,
): JsonObject {
  const weights = panel.voices.map(({ agent, weight }) => [agent, weight] as const);
  return {
    conviction_score: conviction.score,
    raw_weighted_score: conviction.raw,
    adjusted_score: conviction.adjusted,
    risk_factor: conviction.riskFactor,
    factors: {
      fear_greed: conviction.factors.fearGreed,
      volatility: conviction.factors.volatility,
      dollar_index: conviction.factors.dollarIndex,
    },
    contributions: conviction.contributions,
    weights_used: Object.fromEntries(weights),
    missing_agents: panel.missing.map(({ agent }) => agent),
    confidence: panel.confidence,
    branch: signal.branch,
    signal_strength: signal.strength,
    position_size: signal.size,
    position_multiplier: signal.multiplier,
    is_accelerated: signal.accelerated,
    consecutive_count: signal.bullishCount,
    risk_level: signal.riskLevel,
    should_execute: order.items.length > 0,
  };
}
