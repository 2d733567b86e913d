import type { PurchaseRange } from "#domain/order-size.ts";
import type { PositionType } from "#domain/trading.ts";
import type { MomentumParams } from "./momentum-params.ts";

/** Doubles make a distance of exactly 10 % come out as 10.000000000000002 %. */
const TOLERANCE = 1e-9;

export interface Setup {
  side: PositionType;
  /** Quote currency. */
  entryPrice: number;
  /** Average true range, quote currency. */
  atr: number;
  stopDistanceAtr: number;
  /** Reward per unit of risk before the regime is applied. */
  rewardRisk: number;
  /** 0..100 */
  regimeScore: number;
}

/** An entry with its stop loss and take profit, as the regime allows it. */
export interface Bracket {
  side: PositionType;
  entryPrice: number;
  stopLoss: number;
  takeProfit: number;
  multiplier: number;
  /** Percent of the equity lost at the stop loss. */
  riskPct: number;
  leverage: number;
  rewardRisk: number;
}

export interface BracketCheck {
  side: PositionType;
  entryPrice: number;
  /** Base currency. */
  quantity: number;
  stopLoss: number;
  takeProfit: number;
}

export type BracketError =
  | "entry_not_positive"
  | "amount_not_positive"
  | "stop_loss_not_positive"
  | "take_profit_not_positive"
  | "long_sl_not_below_entry"
  | "long_tp_not_above_entry"
  | "short_sl_not_above_entry"
  | "short_tp_not_below_entry"
  | "sl_too_close"
  | "sl_too_far"
  | "risk_not_positive"
  | "rr_too_low";

export type BracketLimits = Pick<
  MomentumParams,
  "min_sl_distance_pct" | "max_sl_distance_pct" | "min_tp_rr"
>;

/** Piecewise linear: 0.3 up to a score of 20, 0.6 at 40, 1 at 60, 1.3 at 80, 1.6 at 100. */
export function regimeMultiplier(score: number): number {
  if (score < 20) return 0.3;
  if (score < 40) return 0.3 + ((score - 20) / 20) * 0.3;
  if (score < 60) return 0.6 + ((score - 40) / 20) * 0.4;
  if (score < 80) return 1 + ((score - 60) / 20) * 0.3;
  return 1.3 + ((score - 80) / 20) * 0.3;
}

/**
 * Risk and reward grow in proportion to the regime's multiplier m, leverage with its square root:
 * stop = entry ∓ atr·distance, take profit = entry ± |entry − stop|·rr·m.
 */
export function planBracket(setup: Setup, params: MomentumParams): Bracket {
  const { side, entryPrice } = setup;
  const multiplier = regimeMultiplier(setup.regimeScore);
  const rewardRisk = setup.rewardRisk * multiplier;
  const direction = side === "LONG" ? 1 : -1;
  const stopLoss = entryPrice - direction * setup.atr * setup.stopDistanceAtr;
  const takeProfit = entryPrice + direction * Math.abs(entryPrice - stopLoss) * rewardRisk;
  return {
    side,
    entryPrice,
    stopLoss,
    takeProfit,
    multiplier,
    riskPct: params.base_risk_pct * multiplier,
    leverage: Math.min(params.base_leverage * Math.sqrt(multiplier), params.max_leverage),
    rewardRisk,
  };
}

/** Coins of which the fall to the stop loss costs `riskPct` of the equity; leverage plays no part. */
export function riskQuantity(bracket: Bracket, equity: number): number {
  const distance = Math.abs(bracket.entryPrice - bracket.stopLoss);
  return distance > 0 ? (equity * bracket.riskPct) / 100 / distance : 0;
}

/** What an entry may be worth with these params, fractions of the equity: the risk over the stop's distance. */
export function purchaseRange(params: MomentumParams): PurchaseRange {
  const notional = (score: number, distancePct: number): number =>
    Math.min((params.base_risk_pct * regimeMultiplier(score)) / distancePct, params.max_leverage);
  return {
    smallest: notional(0, params.max_sl_distance_pct),
    largest: notional(100, params.min_sl_distance_pct),
  };
}

/** What is wrong with a bracket; empty when it may be traded. Limits are inclusive. */
export function validateBracket(bracket: BracketCheck, limits: BracketLimits): BracketError[] {
  return [...signErrors(bracket), ...sideErrors(bracket), ...distanceErrors(bracket, limits)];
}

function signErrors(bracket: BracketCheck): BracketError[] {
  const errors: BracketError[] = [];
  if (!(bracket.entryPrice > 0)) errors.push("entry_not_positive");
  if (!(bracket.quantity > 0)) errors.push("amount_not_positive");
  if (!(bracket.stopLoss > 0)) errors.push("stop_loss_not_positive");
  if (!(bracket.takeProfit > 0)) errors.push("take_profit_not_positive");
  return errors;
}

function sideErrors({ side, entryPrice, stopLoss, takeProfit }: BracketCheck): BracketError[] {
  const errors: BracketError[] = [];
  if (side === "LONG") {
    if (!(stopLoss < entryPrice)) errors.push("long_sl_not_below_entry");
    if (!(takeProfit > entryPrice)) errors.push("long_tp_not_above_entry");
  } else {
    if (!(stopLoss > entryPrice)) errors.push("short_sl_not_above_entry");
    if (!(takeProfit < entryPrice)) errors.push("short_tp_not_below_entry");
  }
  return errors;
}

function distanceErrors(bracket: BracketCheck, limits: BracketLimits): BracketError[] {
  const { entryPrice, stopLoss, takeProfit } = bracket;
  if (!(entryPrice > 0)) return [];
  const errors: BracketError[] = [];
  const distancePct = (Math.abs(entryPrice - stopLoss) / entryPrice) * 100;
  if (distancePct < limits.min_sl_distance_pct - TOLERANCE) errors.push("sl_too_close");
  if (distancePct > limits.max_sl_distance_pct + TOLERANCE) errors.push("sl_too_far");
  const direction = bracket.side === "LONG" ? 1 : -1;
  const risk = direction * (entryPrice - stopLoss);
  const reward = direction * (takeProfit - entryPrice);
  if (!(risk > 0)) errors.push("risk_not_positive");
  else if (reward / risk < limits.min_tp_rr - TOLERANCE) errors.push("rr_too_low");
  return errors;
}
