// Simulated execution: what a venue would have done with an order at the tick's price.
import { Decimal, decimal, toDecimalString, ZERO } from "#domain/decimal.ts";
import type { DecimalString } from "#domain/decimal.ts";
import { errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot, Quote } from "#domain/market.ts";
import type { ExecutionReport, InstrumentRules, MarketType, Order } from "#domain/trading.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";

/** What a symbol's orders must satisfy; without the symbol itself. */
export type LotRules = Omit<InstrumentRules, "symbol">;

export interface PaperProfile {
  name: string;
  marketType: MarketType;
  /** 1 on spot. */
  maxLeverage: number;
  /** Fraction of notional, paid in quote currency on both sides. */
  takerFeeRate: number;
  /** How much worse than the quote an order fills, in hundredths of a percent. */
  slippageBps: number;
  /** Most of the last bar's volume one order may take, fraction; null: all it asks. */
  maxVolumeShare: number | null;
  /** Rules by base currency, e.g. `BTC`. */
  rules: Readonly<Record<string, LotRules>>;
  /** For every other base currency. */
  defaultRules: LotRules;
}

/** Opens the paper channel of a profile. It keeps no state: equal order and market, equal report. */
export function createPaperChannel(profile: PaperProfile): TradeChannel {
  const venue = new PaperVenue(profile);
  return {
    name: profile.name,
    kind: "paper",
    marketType: profile.marketType,
    maxLeverage: profile.maxLeverage,
    takerFeeRate: profile.takerFeeRate,
    slippageRate: profile.slippageBps / 10_000,
    rules: (symbol) => ({ symbol, ...lotRulesOf(profile, symbol) }),
    execute: (orders, market) => orders.map((order) => venue.execute(order, market)),
  };
}

/** The rules with their numbers parsed once. */
interface Lots {
  step: Decimal | null;
  minQuantity: Decimal | null;
  maxQuantity: Decimal | null;
  minNotional: Decimal | null;
}

/** A fill, or why there is none. */
type Match = { price: Decimal; quantity: Decimal; shortfall: string | null } | { refusal: string };

class PaperVenue {
  readonly #profile: PaperProfile;
  readonly #feeRate: Decimal;
  readonly #buyFactor: Decimal;
  readonly #sellFactor: Decimal;
  readonly #lots = new Map<string, Lots>();

  constructor(profile: PaperProfile) {
    this.#profile = profile;
    this.#feeRate = decimal(profile.takerFeeRate);
    const slippage = decimal(profile.slippageBps).div(10_000);
    this.#buyFactor = decimal(1).plus(slippage);
    this.#sellFactor = decimal(1).minus(slippage);
  }

  execute(order: Order, market: MarketSnapshot): ExecutionReport {
    try {
      const match = this.#match(order, market);
      return "refusal" in match
        ? rejected(order, match.refusal)
        : this.#filled(order, market, match);
    } catch (error) {
      return { ...rejected(order, errorMessage(error)), status: "error" };
    }
  }

  #match(order: Order, market: MarketSnapshot): Match {
    const quote = market.quotes[order.symbol];
    if (quote === undefined) return { refusal: `no price for ${order.symbol}` };
    if (quote.quality === "stale" && !order.reduceOnly) {
      return { refusal: `price is stale (age ${ageText(market.at - quote.at)})` };
    }
    const price = this.#priceOf(order, decimal(quote.price));
    if (price === null) return { refusal: limitRefusal(order, quote) };

    const lots = this.#lotsOf(order.symbol);
    const asked = decimal(order.quantity);
    const refusal =
      leverageRefusal(order, this.#profile) ??
      quantityRefusal(asked, lots, order.reduceOnly) ??
      notionalRefusal(asked.times(price), lots, order.reduceOnly);
    if (refusal !== null) return { refusal };
    return this.#available(asked, price, { quote, step: lots.step });
  }

  /** The price now, made worse by slippage but never past the limit; null: the limit is not reached. */
  #priceOf(order: Order, price: Decimal): Decimal | null {
    const slipped = price.times(order.side === "BUY" ? this.#buyFactor : this.#sellFactor);
    if (order.priceMode === "market") return slipped;
    if (order.limitPrice === null) throw new Error("a limit order without a limit price");
    const limit = decimal(order.limitPrice);
    if (order.side === "BUY") return price.lte(limit) ? Decimal.min(slipped, limit) : null;
    return price.gte(limit) ? Decimal.max(slipped, limit) : null;
  }

  #available(asked: Decimal, price: Decimal, at: { quote: Quote; step: Decimal | null }): Match {
    const share = this.#profile.maxVolumeShare;
    if (share === null) return { price, quantity: asked, shortfall: null };
    const { barVolume } = at.quote;
    const most = decimal(barVolume).times(share);
    if (asked.lte(most)) return { price, quantity: asked, shortfall: null };
    const quantity = floorToStep(most, at.step);
    const limit = `at most ${share} of the bar's volume ${barVolume}`;
    if (quantity.isZero()) return { refusal: `filled 0 of ${asked.toFixed()}: ${limit}` };
    const shortfall = `filled ${quantity.toFixed()} of ${asked.toFixed()}: ${limit}`;
    return { price, quantity, shortfall };
  }

  #filled(
    order: Order,
    market: MarketSnapshot,
    match: { price: Decimal; quantity: Decimal; shortfall: string | null },
  ): ExecutionReport {
    const fee = match.quantity.times(match.price).times(this.#feeRate);
    return {
      instructionId: order.instructionId,
      status: match.shortfall === null ? "filled" : "partial",
      fills: [
        {
          symbol: order.symbol,
          side: order.side,
          quantity: toDecimalString(match.quantity),
          price: toDecimalString(match.price),
          fee: { amount: toDecimalString(fee), currency: "quote" },
          at: market.at,
          leverage: order.leverage,
        },
      ],
      reason: match.shortfall,
      exchangeOrderId: `paper-${order.clientOrderId}`,
    };
  }

  #lotsOf(symbol: string): Lots {
    const known = this.#lots.get(symbol);
    if (known !== undefined) return known;
    const rules = lotRulesOf(this.#profile, symbol);
    const lots = {
      step: optional(rules.quantityStep),
      minQuantity: optional(rules.minQuantity),
      maxQuantity: optional(rules.maxQuantity),
      minNotional: optional(rules.minNotional),
    };
    this.#lots.set(symbol, lots);
    return lots;
  }
}

function leverageRefusal(order: Order, profile: PaperProfile): string | null {
  if (order.reduceOnly) return null;
  if (order.action === "open_short" && profile.marketType === "spot") {
    return "spot cannot be sold short";
  }
  if (order.leverage <= profile.maxLeverage) return null;
  return `leverage ${order.leverage} is above the most allowed ${profile.maxLeverage}`;
}

/** The largest order binds openings only: exits stay open (I12). */
function quantityRefusal(quantity: Decimal, lots: Lots, reduceOnly: boolean): string | null {
  const { step, minQuantity, maxQuantity } = lots;
  if (!quantity.isFinite() || quantity.lte(ZERO))
    return `quantity ${quantity.toFixed()} is not above 0`;
  if (step !== null && !quantity.mod(step).isZero()) {
    return `quantity ${quantity.toFixed()} is not a multiple of the step ${step.toFixed()}`;
  }
  if (minQuantity !== null && quantity.lt(minQuantity)) {
    return `quantity ${quantity.toFixed()} is below the minimum ${minQuantity.toFixed()}`;
  }
  if (maxQuantity !== null && !reduceOnly && quantity.gt(maxQuantity)) {
    return `quantity ${quantity.toFixed()} is above the maximum ${maxQuantity.toFixed()}`;
  }
  return null;
}

/** As on real venues, a reduce-only order is exempt: what is left of a position can be closed (I12). */
function notionalRefusal(notional: Decimal, lots: Lots, reduceOnly: boolean): string | null {
  const { minNotional } = lots;
  if (minNotional === null || reduceOnly || notional.gte(minNotional)) return null;
  return `notional ${toDecimalString(notional)} is below the minimum ${minNotional.toFixed()}`;
}

const limitRefusal = (order: Order, quote: Quote): string =>
  `limit not reached: ${order.side} at ${order.limitPrice}, price ${quote.price}`;

function rejected(order: Order, reason: string): ExecutionReport {
  return {
    instructionId: order.instructionId,
    status: "rejected",
    fills: [],
    reason,
    exchangeOrderId: null,
  };
}

function lotRulesOf(profile: PaperProfile, symbol: string): LotRules {
  const [base = symbol] = symbol.split("/");
  return profile.rules[base] ?? profile.defaultRules;
}

const optional = (value: DecimalString | null): Decimal | null =>
  value === null ? null : decimal(value);

const floorToStep = (quantity: Decimal, step: Decimal | null): Decimal =>
  step === null ? quantity : quantity.div(step).floor().times(step);

function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}
