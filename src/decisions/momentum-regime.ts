import type { Decision, DecisionInput, Protection } from "#domain/decision.ts";
import { decimal, toDecimalString } from "#domain/decimal.ts";
import type { JsonObject } from "#domain/json.ts";
import { priceText } from "#domain/price-text.ts";
import type { Holding } from "#domain/portfolio.ts";
import type { PlanItem, PositionType } from "#domain/trading.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { createAgentReader } from "./agent-data.ts";
import { clamp } from "./conviction.ts";
import { purchaseRange } from "./momentum-bracket.ts";
import { isRefusal, planEntry, type Entry, type Refusal } from "./momentum-entry.ts";
import {
  momentumReadingSchema,
  regimeReadingSchema,
  type MomentumOpportunity,
} from "./momentum-inputs.ts";
import { momentumParamsSchema, type MomentumParams } from "./momentum-params.ts";
import {
  momentumStateToJson,
  recallState,
  rememberTrade,
  type MomentumMemory,
} from "./momentum-state.ts";
import { fractionOfHolding, holdingOf } from "./orders.ts";

type Input = DecisionInput<MomentumParams>;

const readRegime = createAgentReader("regime_filter", regimeReadingSchema);
const readMomentum = createAgentReader("ta_momentum", momentumReadingSchema);

/**
 * Trades the strongest momentum signal with a stop loss and a take profit, sized by the loss at the
 * stop and by how healthy the market is. A signal against a position always closes it; everything
 * else only limits what is opened (I12).
 */
export const momentumRegime: DecisionAgent<MomentumParams> = {
  name: "momentum_regime",
  displayName: "Momentum with regime filter",
  description:
    "Follows the strongest momentum signal with stop loss and take profit, sized by the market regime.",
  paramsSchema: momentumParamsSchema,
  purchaseRange,
  decide,
};

interface Signal {
  opportunity: MomentumOpportunity;
  side: PositionType;
  regimeScore: number;
  classification: string;
}

interface NoSignal {
  code: string;
  reason: string;
}

function decide(input: Input): Decision {
  const cooldownFrom = input.tick.scheduledFor - input.params.cooldown_minutes * 60_000;
  const memory = recallState(input.state, input.portfolio, cooldownFrom);
  const signal = readSignal(input);
  return "code" in signal ? hold(memory, signal, {}) : act(input, memory, signal);
}

function readSignal({ analysis, params, symbols }: Input): Signal | NoSignal {
  const regime = readRegime(analysis);
  if ("problem" in regime) return { code: regime.problem, reason: regime.reason };
  const momentum = readMomentum(analysis);
  if ("problem" in momentum) return { code: momentum.problem, reason: momentum.reason };
  const opportunity = momentum.data.best_opportunity;
  if (opportunity === null) return { code: "no_opportunity", reason: "no symbol has a signal" };
  const { signal: side, symbol } = opportunity;
  if (side === "NEUTRAL" || opportunity.signal_strength < params.min_signal_strength) {
    return { code: "weak_signal", reason: `the signal for ${symbol} is too weak` };
  }
  if (opportunity.confidence < params.min_confidence) {
    return { code: "low_confidence", reason: `the signal for ${symbol} is too uncertain` };
  }
  if (!symbols.includes(symbol)) {
    return { code: "symbol_not_traded", reason: `${symbol} is not traded by this strategy` };
  }
  const { regime_score: regimeScore, classification } = regime.data;
  return { opportunity, side, regimeScore, classification };
}

function act(input: Input, memory: MomentumMemory, signal: Signal): Decision {
  const { opportunity, side, regimeScore } = signal;
  const holding = holdingOf(input.portfolio, opportunity.symbol);
  const closing = closeOpposite(holding, side);
  const context = { input, opportunity, side, regimeScore, state: memory.state, holding };
  const entry = planEntry(context);
  const details = signalDetails(signal, input.params.regime_weight);
  if (!isRefusal(entry)) return open(input, memory, { signal, entry, closing, details });
  const refused = { ...details, hold_code: entry.code, validation_errors: entry.errors };
  if (closing === null) return hold(memory, explained(entry), refused);
  return close(input, memory, { signal, entry, closing, details: refused });
}

function closeOpposite(holding: Holding | undefined, side: PositionType): PlanItem | null {
  if (holding === undefined || holding.type === side) return null;
  const quantity = fractionOfHolding(holding, 1);
  const action = holding.type === "LONG" ? "close_long" : "close_short";
  return quantity === null ? null : { symbol: holding.symbol, action, quantity };
}

function hold(memory: MomentumMemory, { code, reason }: NoSignal, details: JsonObject): Decision {
  return {
    signal: "HOLD",
    items: [],
    rationale: `Nothing is traded because ${reason}.`,
    warnings: [],
    details: { ...details, hold_code: code, should_execute: false },
    state: momentumStateToJson(memory.state),
    ...(memory.protectionsChanged ? { protections: memory.state.protections } : {}),
  };
}

interface Action<Outcome> {
  signal: Signal;
  entry: Outcome;
  closing: PlanItem | null;
  details: JsonObject;
}

function close(input: Input, memory: MomentumMemory, action: Action<Refusal>): Decision {
  const { symbol, reasoning } = action.signal.opportunity;
  const at = input.tick.scheduledFor;
  // The protections stay until the position is gone: a close can be rejected.
  const state = rememberTrade(memory.state, { symbol, at, protection: null });
  return {
    signal: action.signal.side === "SHORT" ? "SELL" : "BUY",
    items: action.closing === null ? [] : [action.closing],
    rationale: `The position in ${symbol} is closed because momentum has turned against it (${reasoning}). Nothing new is opened because ${action.entry.reason}.`,
    warnings: [],
    details: { ...action.details, should_execute: true },
    state: momentumStateToJson(state),
    ...(memory.protectionsChanged ? { protections: state.protections } : {}),
  };
}

function open(input: Input, memory: MomentumMemory, action: Action<Entry>): Decision {
  const { signal, entry, closing } = action;
  const { symbol } = signal.opportunity;
  const protection = protectionOf(symbol, entry);
  const trade = { symbol, at: input.tick.scheduledFor, protection };
  const state = rememberTrade(memory.state, trade);
  const opening = openingItem(input, signal, entry);
  return {
    signal: signal.side,
    items: closing === null ? [opening] : [closing, opening],
    rationale: openRationale(signal, entry),
    warnings:
      entry.cappedBy === null ? [] : [`the position is smaller for lack of ${entry.cappedBy}`],
    details: { ...action.details, ...entryDetails(signal, entry), should_execute: true },
    state: momentumStateToJson(state),
    protections: state.protections,
  };
}

function openingItem(input: Input, { opportunity, side }: Signal, entry: Entry): PlanItem {
  const { symbol, confidence, reasoning } = opportunity;
  return {
    symbol,
    action: side === "LONG" ? "open_long" : "open_short",
    quantity: entry.quantity,
    ...(input.marketType === "perpetual" ? { leverage: Math.max(1, entry.bracket.leverage) } : {}),
    confidence,
    rationale: reasoning,
  };
}

function protectionOf(symbol: string, { bracket }: Entry): Protection {
  return {
    symbol,
    stopLoss: toDecimalString(decimal(bracket.stopLoss)),
    takeProfit: toDecimalString(decimal(bracket.takeProfit)),
  };
}

function explained({ code, reason, errors }: Refusal): NoSignal {
  return { code, reason: errors.length === 0 ? reason : `${reason} (${errors.join(", ")})` };
}

function openRationale({ opportunity, side, regimeScore }: Signal, { bracket }: Entry): string {
  const price = (value: number): string => priceText(value, bracket.entryPrice);
  const strength = (opportunity.signal_strength * 100).toFixed(0);
  return [
    `${opportunity.symbol} has the strongest momentum: ${side.toLowerCase()} with ${strength}% strength (${opportunity.reasoning}).`,
    `The regime score ${regimeScore.toFixed(1)} scales risk and reward by ${bracket.multiplier.toFixed(2)}:`,
    `${bracket.riskPct.toFixed(2)}% of the equity is at risk between the entry at ${price(bracket.entryPrice)} and the stop loss at ${price(bracket.stopLoss)}; profit is taken at ${price(bracket.takeProfit)}.`,
  ].join(" ");
}

function signalDetails(signal: Signal, regimeWeight: number): JsonObject {
  const { opportunity, side, regimeScore, classification } = signal;
  const conviction = directionalConviction(signal, regimeWeight);
  return {
    symbol: opportunity.symbol,
    momentum_signal: side,
    signal_strength: opportunity.signal_strength,
    confidence: opportunity.confidence,
    regime_score: regimeScore,
    regime_classification: classification,
    risk_level: riskLevelOf(regimeScore),
    directional_conviction: conviction,
    conviction_score: (conviction + 100) / 2,
  };
}

function entryDetails({ opportunity }: Signal, entry: Entry): JsonObject {
  const { bracket, quantity, riskQuantity, cappedBy } = entry;
  return {
    regime_multiplier: bracket.multiplier,
    // How much of the signal the regime leaves standing; not a fraction of anything.
    signal_intensity: opportunity.signal_strength * bracket.multiplier,
    effective_risk_pct: bracket.riskPct,
    effective_leverage: bracket.leverage,
    effective_tp_rr: bracket.rewardRisk,
    entry_price: bracket.entryPrice,
    stop_loss: bracket.stopLoss,
    take_profit: bracket.takeProfit,
    quantity,
    risk_quantity: riskQuantity,
    capped_by: cappedBy,
  };
}

/** −100 (certain short) .. 100 (certain long): ±(strength + confidence) / 2 moved by the regime. */
function directionalConviction({ opportunity, side, regimeScore }: Signal, weight: number): number {
  const certainty = ((opportunity.signal_strength + opportunity.confidence) / 2) * 100;
  const push = ((regimeScore - 50) / 50) * weight * 100;
  return clamp((side === "LONG" ? certainty : -certainty) + push, -100, 100);
}

/** The risk of trading in this regime: <40 high, <70 medium, else low. */
function riskLevelOf(regimeScore: number): "LOW" | "MEDIUM" | "HIGH" {
  if (regimeScore < 40) return "HIGH";
  return regimeScore < 70 ? "MEDIUM" : "LOW";
}
