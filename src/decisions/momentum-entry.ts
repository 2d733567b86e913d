import type { DecisionInput } from "#domain/decision.ts";
import type { DecimalString } from "#domain/decimal.ts";
import type { Holding } from "#domain/portfolio.ts";
import { priceText } from "#domain/price-text.ts";
import type { PositionType } from "#domain/trading.ts";
import { planBracket, riskQuantity, validateBracket, type Bracket } from "./momentum-bracket.ts";
import type { MomentumOpportunity } from "./momentum-inputs.ts";
import type { MomentumParams } from "./momentum-params.ts";
import type { MomentumState } from "./momentum-state.ts";
import { freshPrice, quantityOf } from "./orders.ts";

export type EntryObstacle =
  | "short_on_spot"
  | "already_positioned"
  | "extreme_counter_trend"
  | "cooldown"
  | "too_many_positions"
  | "no_fresh_price"
  | "no_atr"
  | "bracket_invalid"
  | "price_outside_bracket"
  | "no_room";

export interface Refusal {
  code: EntryObstacle;
  reason: string;
  /** What is wrong with the bracket, when that is the obstacle. */
  errors: string[];
}

export interface Entry {
  bracket: Bracket;
  /** Base currency. */
  quantity: DecimalString;
  /** Coins the risk alone would allow, before the caps. */
  riskQuantity: number;
  /** What made the quantity smaller than the risk allows. */
  cappedBy: "cash" | "leverage" | null;
}

export interface EntryContext {
  input: DecisionInput<MomentumParams>;
  opportunity: MomentumOpportunity;
  side: PositionType;
  regimeScore: number;
  state: MomentumState;
  /** The position in that symbol, if any. */
  holding: Holding | undefined;
}

/** The position to open, or what stands in the way. Only new risk is judged here (I12). */
export function planEntry(context: EntryContext): Entry | Refusal {
  return ruleAgainst(context) ?? priceEntry(context);
}

export function isRefusal(result: Entry | Refusal): result is Refusal {
  return "code" in result;
}

function ruleAgainst(context: EntryContext): Refusal | null {
  const { input, opportunity, side, regimeScore, state, holding } = context;
  const { params, portfolio } = input;
  const { symbol } = opportunity;
  if (side === "SHORT" && input.marketType === "spot") {
    return refuse("short_on_spot", "spot markets cannot be sold short");
  }
  if (holding?.type === side) {
    return refuse("already_positioned", `${symbol} is already held ${side.toLowerCase()}`);
  }
  if (side === "LONG" && regimeScore < params.extreme_regime_threshold) {
    return refuse(
      "extreme_counter_trend",
      `the regime score ${regimeScore.toFixed(1)} is below ${params.extreme_regime_threshold}, too dangerous to buy`,
    );
  }
  if (Object.hasOwn(state.lastTradeAt, symbol)) {
    return refuse(
      "cooldown",
      `${symbol} was traded less than ${params.cooldown_minutes} minutes ago`,
    );
  }
  // A position that is flipped makes room for its successor.
  const others = portfolio.holdings.length - (holding === undefined ? 0 : 1);
  if (others >= params.max_concurrent_positions) {
    return refuse("too_many_positions", `${others} positions are held and no more are allowed`);
  }
  return null;
}

function priceEntry(context: EntryContext): Entry | Refusal {
  const { input, opportunity, side, regimeScore } = context;
  const { params } = input;
  const price = freshPrice(input.market, opportunity.symbol);
  if (price === null)
    return refuse("no_fresh_price", `there is no fresh price of ${opportunity.symbol}`);
  if (opportunity.atr === null || !(opportunity.atr > 0)) {
    return refuse("no_atr", "the average true range is not known");
  }
  const setup = {
    side,
    entryPrice: opportunity.entry_price,
    atr: opportunity.atr,
    stopDistanceAtr: opportunity.stop_loss_distance_atr ?? params.default_sl_atr_multiplier,
    rewardRisk: opportunity.take_profit_rr ?? params.default_tp_rr,
    regimeScore,
  };
  return sizeEntry(context, planBracket(setup, params), price);
}

function sizeEntry(context: EntryContext, bracket: Bracket, price: number): Entry | Refusal {
  const { input, holding } = context;
  const wanted = riskQuantity(bracket, Number(input.portfolio.totalValue));
  const errors = validateBracket({ ...bracket, quantity: wanted }, input.params);
  if (errors.length > 0) {
    return { ...refuse("bracket_invalid", "stop loss and take profit are not acceptable"), errors };
  }
  if (!isInside(bracket, price)) {
    return refuse(
      "price_outside_bracket",
      `the price ${priceText(price)} is already past stop loss or take profit`,
    );
  }
  const room = roomFor(input, bracket, holding) / price;
  const quantity = quantityOf(Math.min(wanted, room));
  if (quantity === null) return refuse("no_room", "no money is left for a new position");
  const cap = input.marketType === "spot" ? "cash" : "leverage";
  return { bracket, quantity, riskQuantity: wanted, cappedBy: room < wanted ? cap : null };
}

function isInside({ stopLoss, takeProfit }: Bracket, price: number): boolean {
  return price > Math.min(stopLoss, takeProfit) && price < Math.max(stopLoss, takeProfit);
}

/** Notional that may be added, quote currency. */
function roomFor(
  { marketType, portfolio }: DecisionInput<MomentumParams>,
  { leverage }: Bracket,
  holding: Holding | undefined,
): number {
  // What fees and slippage take is left out when the plan becomes orders.
  if (marketType === "spot") return Number(portfolio.buyingPower);
  const kept = Number(portfolio.grossExposure) - Number(holding?.notional ?? 0);
  return Number(portfolio.totalValue) * leverage - kept;
}

function refuse(code: EntryObstacle, reason: string): Refusal {
  return { code, reason, errors: [] };
}
