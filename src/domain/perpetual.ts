import type { DecimalString } from "./decimal.ts";
import { type Fixed, absolute, divide, fixed, fixedOf, fixedString, multiply } from "./fixed.ts";
import type { FundingEvent, MarketSnapshot, Quote } from "./market.ts";
import type { Ledger, Position } from "./portfolio.ts";
import { freshPrice, positivePrice, usablePrice } from "./price.ts";
import type { PlanItem, PositionType } from "./trading.ts";

/** One bracket of a venue's maintenance margin table. */
export interface MaintenanceTier {
  /** Notional from which it applies, quote currency. */
  from: Fixed;
  /** Fraction of notional. */
  rate: Fixed;
  /** Quote currency, subtracted (Binance's `cum`). */
  amount: Fixed;
}

/**
 * How a venue computes liquidation. `binance`: USDⓈ-M futures. `okx` (also Gate): isolated, with the
 * taker fee of the liquidating order. `bybit`: isolated, initial margin in percent of entry.
 */
export type LiquidationModel =
  | { formula: "binance"; marginMode: "isolated" | "cross"; tiers: readonly MaintenanceTier[] }
  | { formula: "okx"; marginMode: "isolated"; tiers: readonly MaintenanceTier[]; takerFee: Fixed }
  | { formula: "bybit"; marginMode: "isolated"; tiers: readonly MaintenanceTier[] };

/** The paper channel's assumption: cross margin, 0.5 % of notional at any size. */
export const PAPER_LIQUIDATION: LiquidationModel = {
  formula: "binance",
  marginMode: "cross",
  tiers: [{ from: 0n, rate: fixed("0.005"), amount: 0n }],
};

/** One open position with its numbers parsed. */
export interface Exposure {
  symbol: string;
  /** Base currency, signed. */
  quantity: Fixed;
  /** Entry notional, signed like `quantity`. */
  cost: Fixed;
  /** Quote currency. */
  mark: Fixed;
  leverage: number;
}

export interface Liquidation {
  symbol: string;
  type: PositionType;
  /** Quote currency: where the venue takes the position over. */
  liquidationPrice: DecimalString;
  /** Closes the whole position. */
  item: PlanItem;
}

/** Margin needed to open: |notional| ÷ leverage, in the currency of `notional`. */
export function initialMargin(notional: Fixed, leverage: number): Fixed {
  return divide(absolute(notional), fixedOf(leverage));
}

/** Margin needed to stay open: |notional| × rate − amount, never below 0 (Binance's formula). */
export function maintenanceMargin(
  notional: Fixed,
  tier: Pick<MaintenanceTier, "rate" | "amount">,
): Fixed {
  const margin = multiply(absolute(notional), tier.rate) - tier.amount;
  return margin < 0n ? 0n : margin;
}

/** Quote currency received (+) or paid (−): −quantity × mark price × rate. */
export function fundingPayment(quantity: Fixed, event: FundingEvent): Fixed {
  return -multiply(multiply(quantity, fixed(event.markPrice)), fixed(event.rate));
}

/** A position counts when it was open at the payment, or opened less than `graceMs` after it. */
export function isFunded(entryAt: number, paidAt: number, graceMs: number): boolean {
  return entryAt <= paidAt || entryAt - paidAt < graceMs;
}

/** What the price of one position's liquidation depends on. */
export interface LiquidationInput {
  quantity: Fixed;
  cost: Fixed;
  /** Isolated: the position's margin. Cross: the wallet with what other positions add and bind. */
  wallet: Fixed;
  tier: Pick<MaintenanceTier, "rate" | "amount">;
}

/**
 * The price at which what is left of the wallet equals the maintenance margin. Binance, isolated and
 * cross: (WB − TMM₁ + UPNL₁ + cum − side·qty·entry) ÷ (qty·MMR − side·qty). OKX and Gate:
 * (entry ∓ margin/qty) ÷ (1 ∓ (MMR + taker)). Bybit: entry × (1 ∓ 1/leverage ± MMR). Null: no price
 * above zero liquidates it.
 */
export function liquidationPrice(
  model: LiquidationModel,
  { quantity, cost, wallet, tier }: LiquidationInput,
): Fixed | null {
  const price =
    model.formula === "bybit"
      ? divide(cost - wallet + multiply(absolute(cost), tier.rate), quantity)
      : crossing(model, { quantity, cost, wallet, tier });
  if (price > 0n) return price;
  // A short that any price liquidates is past its limit already; a long is beyond its reach.
  return quantity < 0n ? 0n : null;
}

function crossing(
  model: Exclude<LiquidationModel, { formula: "bybit" }>,
  { quantity, cost, wallet, tier }: LiquidationInput,
): Fixed {
  const okx = model.formula === "okx";
  const rate = okx ? tier.rate + model.takerFee : tier.rate;
  const debt = cost - wallet - (okx ? 0n : tier.amount);
  return divide(debt, quantity - multiply(absolute(quantity), rate));
}

/** Liquidation prices of all positions of one wallet, in the order given. */
export function liquidationPrices(
  exposures: readonly Exposure[],
  cash: Fixed,
  model: LiquidationModel,
): (Fixed | null)[] {
  const isolated = model.marginMode === "isolated";
  const free = isolated ? 0n : crossMargin(exposures, cash, model);
  return exposures.map((exposure) => {
    const tier = tierOf(model, notionalOf(exposure));
    const wallet = isolated
      ? initialMargin(exposure.cost, exposure.leverage)
      : free - contribution(exposure, tier);
    return liquidationPrice(model, { ...exposure, wallet, tier });
  });
}

/** What stands behind one position: its own margin, or in a cross wallet what the others leave. */
export interface Backing {
  wallet: Fixed;
  /** Where the venue takes the position over; null: at no price above zero. */
  liquidationPrice: Fixed | null;
}

/** The backing of the position in `symbol`, the others valued at the quotes. */
export function backingOf(
  ledger: Ledger,
  symbol: string,
  { quotes, model }: Pick<MarketSnapshot, "quotes"> & { model: LiquidationModel },
): Backing | null {
  const position = ledger.positions[symbol];
  if (position === undefined) return null;
  const exposure = exposureOf(position, quotes[symbol]);
  const tier = tierOf(model, notionalOf(exposure));
  const wallet =
    model.marginMode === "isolated"
      ? initialMargin(exposure.cost, exposure.leverage)
      : crossMargin(othersOf(ledger, symbol, quotes), fixed(ledger.cash), model);
  return { wallet, liquidationPrice: liquidationPrice(model, { ...exposure, wallet, tier }) };
}

function othersOf(ledger: Ledger, symbol: string, quotes: MarketSnapshot["quotes"]): Exposure[] {
  return Object.values(ledger.positions)
    .filter((one) => one.symbol !== symbol)
    .map((one) => exposureOf(one, quotes[one.symbol]));
}

/** Positions whose liquidation price was crossed since the previous tick, on a fresh quote. */
export function liquidations(
  ledger: Ledger,
  market: Pick<MarketSnapshot, "quotes">,
  model: LiquidationModel,
): Liquidation[] {
  if (ledger.marketType === "spot") return [];
  const positions = Object.values(ledger.positions);
  const exposures = positions.map((one) => exposureOf(one, market.quotes[one.symbol]));
  const prices = liquidationPrices(exposures, fixed(ledger.cash), model);
  return positions.flatMap((position, index) => {
    const price = prices[index] ?? null;
    const quote = market.quotes[position.symbol];
    if (price === null || quote === undefined || !isCrossed(position, quote, price)) return [];
    return [liquidationOf(position, price)];
  });
}

/** What a position adds to a cross wallet: its unrealized result minus the margin it binds. */
function contribution(exposure: Exposure, tier: MaintenanceTier): Fixed {
  const value = multiply(exposure.quantity, exposure.mark);
  return value - exposure.cost - maintenanceMargin(value, tier);
}

function crossMargin(exposures: readonly Exposure[], cash: Fixed, model: LiquidationModel): Fixed {
  return exposures.reduce(
    (margin, one) => margin + contribution(one, tierOf(model, notionalOf(one))),
    cash,
  );
}

function notionalOf(exposure: Exposure): Fixed {
  return absolute(multiply(exposure.quantity, exposure.mark));
}

function tierOf(model: LiquidationModel, notional: Fixed): MaintenanceTier {
  const tier = model.tiers.findLast(({ from }) => notional >= from);
  return tier ?? { from: 0n, rate: 0n, amount: 0n };
}

function exposureOf(position: Position, quote: Quote | undefined): Exposure {
  return {
    symbol: position.symbol,
    quantity: fixed(position.quantity),
    cost: fixed(position.cost),
    mark: usablePrice(quote) ?? fixed(position.markPrice),
    leverage: position.leverage,
  };
}

function isCrossed(position: Position, quote: Quote, price: Fixed): boolean {
  const last = freshPrice(quote);
  if (last === null) return false;
  const long = !position.quantity.startsWith("-");
  // Extremes from before the entry did not touch this position.
  const extreme = quote.at > position.entryAt ? positivePrice(long ? quote.low : quote.high) : null;
  const crossed = (at: Fixed) => (long ? at <= price : at >= price);
  return crossed(last) || (extreme !== null && crossed(extreme));
}

function liquidationOf(position: Position, price: Fixed): Liquidation {
  const long = !position.quantity.startsWith("-");
  const liquidationPrice = fixedString(price);
  return {
    symbol: position.symbol,
    type: long ? "LONG" : "SHORT",
    liquidationPrice,
    item: {
      symbol: position.symbol,
      action: long ? "close_long" : "close_short",
      quantity: long ? position.quantity : position.quantity.slice(1),
      rationale: `liquidated: the price crossed ${liquidationPrice}`,
    },
  };
}
