import type { PurchaseRange } from "#domain/order-size.ts";
import { finite } from "./conviction.ts";

/** Smallest and largest purchase before acceleration, fraction of the portfolio's value. */
const MIN_BUY = 0.002;
const MAX_BUY = 0.005;
/** Bullish bars over which acceleration grows from its minimum to its maximum. */
const ACCELERATION_RAMP = 100;
/** A 24 h change beyond this trips the breaker, percent. */
const BREAKER_CHANGE_PCT = 15;
/** Fractions of the portfolio's value between which trading the position makes sense. */
const FULL_POSITION = 0.95;
const EMPTY_POSITION = 0.01;

export interface SignalParams {
  buy_threshold: number;
  full_sell_threshold: number;
  consecutive_signal_threshold: number;
  acceleration_multiplier_min: number;
  acceleration_multiplier_max: number;
  fg_circuit_breaker_threshold: number;
  fg_position_adjust_threshold: number;
}

export interface SignalInput {
  /** 0..100 */
  conviction: number;
  /** 0..100; null: not known, so it changes nothing. */
  fearGreed: number | null;
  /** Percent; null: not known, so it changes nothing. */
  change24hPct: number | null;
  /** Value of the position as a fraction of the portfolio's value. */
  positionRatio: number;
  /** Bullish bars in a row before this one. */
  bullishCount: number;
  params: SignalParams;
  /**
   * `buys_only` keeps exits open while a breaker is tripped (I12); `all_signals` also blocks sells,
   * as the system the formulas come from does.
   */
  breakerScope: "buys_only" | "all_signals";
}

export type SignalBranch = "buy" | "partial_sell" | "full_sell" | "circuit_breaker";
export type RiskLevel = "LOW" | "MEDIUM" | "HIGH";

export interface TradeSignal {
  signal: "BUY" | "SELL" | "HOLD";
  branch: SignalBranch;
  /** 0 at the threshold; may pass 1 with thresholds far from 50. */
  strength: number;
  /** BUY: fraction of the portfolio's value. SELL: fraction of the holding. */
  size: number;
  riskLevel: RiskLevel;
  shouldExecute: boolean;
  multiplier: number;
  accelerated: boolean;
  bullishCount: number;
  /** Full sentences. */
  reasons: string[];
  warnings: string[];
}

/**
 * What to do at a conviction: at or above `buy_threshold` buy, below `full_sell_threshold` sell all,
 * between them sell up to half. Throws INVALID_INPUT on a number that is not finite.
 */
export function generateSignal(input: SignalInput): TradeSignal {
  requireFinite(input);
  const branch = branchOf(input);
  const breaker = trippedBreaker(input);
  if (breaker !== null && (branch === "buy" || input.breakerScope === "all_signals")) {
    return held(input, breaker);
  }
  const accelerated = branch === "buy" && isAccelerated(input);
  const multiplier = accelerated ? acceleration(input) : 1;
  const strength = strengthOf(branch, input);
  const size = branch === "buy" ? buySize(strength, multiplier, input) : sellSize(branch, strength);
  const obstacle = obstacleTo(branch, input.positionRatio);
  return {
    signal: branch === "buy" ? "BUY" : "SELL",
    branch,
    strength,
    size,
    riskLevel: breaker === null ? riskLevelOf(input) : "HIGH",
    shouldExecute: obstacle === null,
    multiplier,
    accelerated,
    bullishCount: input.bullishCount,
    reasons: reasonsFor({ branch, size, accelerated, multiplier, obstacle }, input),
    warnings: warningsFor(input, breaker),
  };
}

/** What a purchase may be worth with these params, fractions of the portfolio's value. */
export function purchaseRange(params: SignalParams): PurchaseRange {
  const strongest = MIN_BUY + strengthOf("buy", { conviction: 100, params }) * (MAX_BUY - MIN_BUY);
  const growth = Math.max(1, params.acceleration_multiplier_max);
  return { smallest: MIN_BUY, largest: Math.max(MIN_BUY, strongest * growth) };
}

function requireFinite(input: SignalInput): void {
  finite(input.conviction, "conviction");
  finite(input.positionRatio, "position ratio");
  if (input.fearGreed !== null) finite(input.fearGreed, "fear & greed index");
  if (input.change24hPct !== null) finite(input.change24hPct, "24 h change");
}

type TradingBranch = Exclude<SignalBranch, "circuit_breaker">;

function branchOf({ conviction, params }: SignalInput): TradingBranch {
  // Buying is tested first: with full_sell above buy there is no partial zone and buying wins.
  if (conviction >= params.buy_threshold) return "buy";
  return conviction >= params.full_sell_threshold ? "partial_sell" : "full_sell";
}

function trippedBreaker({ fearGreed, change24hPct, params }: SignalInput): string | null {
  const limit = params.fg_circuit_breaker_threshold;
  if (fearGreed !== null && fearGreed < limit) {
    return `the fear & greed index ${shown(fearGreed)} is below ${shown(limit)}`;
  }
  if (change24hPct !== null && Math.abs(change24hPct) > BREAKER_CHANGE_PCT) {
    return `the price changed by ${shown(change24hPct)}% in 24 hours, beyond ${BREAKER_CHANGE_PCT}%`;
  }
  return null;
}

function held(input: SignalInput, breaker: string): TradeSignal {
  return {
    signal: "HOLD",
    branch: "circuit_breaker",
    strength: 0,
    size: 0,
    riskLevel: "HIGH",
    shouldExecute: false,
    multiplier: 1,
    accelerated: false,
    bullishCount: input.bullishCount,
    reasons: [`The circuit breaker is on because ${breaker}, so nothing is traded.`],
    warnings: [`circuit breaker: ${breaker}`],
  };
}

/** The streak decides, also where the params give it no weight (a multiplier of 1). */
function isAccelerated({ bullishCount, params }: SignalInput): boolean {
  return bullishCount >= params.consecutive_signal_threshold;
}

function acceleration({ bullishCount, params }: SignalInput): number {
  const past = bullishCount - params.consecutive_signal_threshold;
  const low = params.acceleration_multiplier_min;
  const high = params.acceleration_multiplier_max;
  return Math.min(low + (past * (high - low)) / ACCELERATION_RAMP, high);
}

function strengthOf(
  branch: TradingBranch,
  { conviction, params }: Pick<SignalInput, "conviction" | "params">,
): number {
  const { buy_threshold: buy, full_sell_threshold: fullSell } = params;
  if (branch === "buy") return (conviction - buy) / 50;
  if (branch === "partial_sell") return buy <= fullSell ? 0 : (buy - conviction) / (buy - fullSell);
  return fullSell <= 0 ? 1 : (fullSell - conviction) / fullSell;
}

function buySize(strength: number, multiplier: number, input: SignalInput): number {
  let size = (MIN_BUY + strength * (MAX_BUY - MIN_BUY)) * multiplier;
  const change = Math.abs(input.change24hPct ?? 0);
  if (change > 10) size *= 0.5;
  else if (change > 5) size *= 0.75;
  const fear = input.fearGreed;
  if (fear !== null && fear < input.params.fg_position_adjust_threshold) size *= 0.8;
  return Math.max(size, MIN_BUY);
}

function sellSize(branch: TradingBranch, strength: number): number {
  return branch === "full_sell" ? 1 : 0.5 * strength;
}

function riskLevelOf({ conviction, fearGreed, change24hPct }: SignalInput): RiskLevel {
  const change = Math.abs(change24hPct ?? 0);
  let points = 0;
  if (fearGreed !== null && (fearGreed < 30 || fearGreed > 75)) points += 1;
  if (change > 7) points += 1;
  if (change > 12) points += 1;
  if (conviction < 40 || conviction > 85) points += 1;
  if (points >= 3) return "HIGH";
  return points >= 1 ? "MEDIUM" : "LOW";
}

function obstacleTo(branch: TradingBranch, ratio: number): string | null {
  if (branch !== "buy") {
    return ratio < EMPTY_POSITION ? "There is no position worth selling." : null;
  }
  return ratio > FULL_POSITION ? "The portfolio is already fully invested." : null;
}

interface Outcome {
  branch: TradingBranch;
  size: number;
  accelerated: boolean;
  multiplier: number;
  obstacle: string | null;
}

function reasonsFor(outcome: Outcome, input: SignalInput): string[] {
  const reasons = [mainReason(outcome, input)];
  if (outcome.accelerated) {
    const times = outcome.multiplier.toFixed(2);
    reasons.push(`${input.bullishCount} bullish bars in a row multiply the purchase by ${times}.`);
  }
  if (outcome.obstacle !== null) reasons.push(outcome.obstacle);
  return reasons;
}

function mainReason({ branch, size }: Outcome, { conviction, params }: SignalInput): string {
  const score = conviction.toFixed(1);
  const percent = (size * 100).toFixed(2);
  const buy = shown(params.buy_threshold);
  const fullSell = shown(params.full_sell_threshold);
  if (branch === "buy") {
    return `Conviction ${score} reaches the buy threshold ${buy}: buy for ${percent}% of the portfolio.`;
  }
  if (branch === "partial_sell") {
    return `Conviction ${score} is between ${fullSell} and the buy threshold ${buy}: sell ${percent}% of the holding.`;
  }
  return `Conviction ${score} is below the full-sell threshold ${fullSell}: sell the whole holding.`;
}

function warningsFor({ fearGreed, change24hPct }: SignalInput, breaker: string | null): string[] {
  const warnings: string[] = [];
  if (breaker !== null) warnings.push(`circuit breaker: ${breaker}; only selling is allowed`);
  if (fearGreed !== null && fearGreed < 25) warnings.push(`extreme fear: ${shown(fearGreed)}`);
  if (fearGreed !== null && fearGreed > 75) warnings.push(`extreme greed: ${shown(fearGreed)}`);
  if (change24hPct !== null && Math.abs(change24hPct) > 10) {
    warnings.push(`strong move: ${shown(change24hPct)}% in 24 hours`);
  }
  return warnings;
}

function shown(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
