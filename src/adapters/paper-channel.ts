// Simulated execution: what a venue would have done with an order at the tick's price.
import type { DecimalString } from "#domain/decimal.ts";
import { errorMessage } from "#domain/errors.ts";
import {
  type Fixed,
  fixed,
  fixedOf,
  fixedString,
  multiply,
  ONE,
  parseFixed,
  smaller,
} from "#domain/fixed.ts";
import type { MarketSnapshot, Quote } from "#domain/market.ts";
import type { ExecutionReport, InstrumentRules, MarketType, Order } from "#domain/trading.ts";
import type { PaperChannel } from "#ports/trade-channel.ts";

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
export function createPaperChannel(profile: PaperProfile): PaperChannel {
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
  step: Fixed | null;
  minQuantity: Fixed | null;
  maxQuantity: Fixed | null;
  minNotional: Fixed | null;
}

/** A fill, or why there is none. */
type Match = { price: Fixed; quantity: Fixed; shortfall: string | null } | { refusal: string };

class PaperVenue {
  readonly #profile: PaperProfile;
  readonly #feeRate: Fixed;
  readonly #buyFactor: Fixed;
  readonly #sellFactor: Fixed;
  readonly #lots = new Map<string, Lots>();

  constructor(profile: PaperProfile) {
    this.#profile = profile;
    this.#feeRate = fixedOf(profile.takerFeeRate);
    const slippage = fixedOf(profile.slippageBps) / 10_000n;
    this.#buyFactor = ONE + slippage;
    this.#sellFactor = ONE - slippage;
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
    const price = this.#priceOf(order, fixed(quote.price));
    if (price === null) return { refusal: limitRefusal(order, quote) };

    const lots = this.#lotsOf(order.symbol);
    const asked = parseFixed(order.quantity);
    if (asked === null || asked <= 0n) {
      return { refusal: `quantity ${order.quantity} is not above 0` };
    }
    const refusal =
      leverageRefusal(order, this.#profile) ??
      quantityRefusal(asked, lots, order.reduceOnly) ??
      notionalRefusal(multiply(asked, price), lots, order.reduceOnly);
    if (refusal !== null) return { refusal };
    return this.#available(asked, price, { quote, step: lots.step });
  }

  /** The price now, made worse by slippage but never past the limit; null: the limit is not reached. */
  #priceOf(order: Order, price: Fixed): Fixed | null {
    const slipped = multiply(price, order.side === "BUY" ? this.#buyFactor : this.#sellFactor);
    if (order.priceMode === "market") return slipped;
    if (order.limitPrice === null) throw new Error("a limit order without a limit price");
    const limit = fixed(order.limitPrice);
    if (order.side === "BUY") return price <= limit ? smaller(slipped, limit) : null;
    return price >= limit ? -smaller(-slipped, -limit) : null;
  }

  #available(asked: Fixed, price: Fixed, at: { quote: Quote; step: Fixed | null }): Match {
    const share = this.#profile.maxVolumeShare;
    const { barVolume } = at.quote;
    // A volume that is not known limits nothing: no chart export of volume 0 may hold an exit back.
    if (share === null || barVolume === null) {
      return { price, quantity: asked, shortfall: null };
    }
    const most = multiply(fixed(barVolume), fixedOf(share));
    if (asked <= most) return { price, quantity: asked, shortfall: null };
    const quantity = floorToStep(most, at.step);
    const limit = `at most ${share} of the bar's volume ${barVolume}`;
    if (quantity === 0n) return { refusal: `filled 0 of ${fixedString(asked)}: ${limit}` };
    const shortfall = `filled ${fixedString(quantity)} of ${fixedString(asked)}: ${limit}`;
    return { price, quantity, shortfall };
  }

  #filled(
    order: Order,
    market: MarketSnapshot,
    match: { price: Fixed; quantity: Fixed; shortfall: string | null },
  ): ExecutionReport {
    const fee = multiply(multiply(match.quantity, match.price), this.#feeRate);
    return {
      instructionId: order.instructionId,
      status: match.shortfall === null ? "filled" : "partial",
      fills: [
        {
          symbol: order.symbol,
          side: order.side,
          quantity: fixedString(match.quantity),
          price: fixedString(match.price),
          fee: { amount: fixedString(fee), currency: "quote" },
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

/** Lot rules bind openings only: the last remainder of a position can be closed too (I12). */
function quantityRefusal(quantity: Fixed, lots: Lots, reduceOnly: boolean): string | null {
  const { step, minQuantity, maxQuantity } = lots;
  if (reduceOnly) return null;
  if (step !== null && quantity % step !== 0n) {
    return `quantity ${fixedString(quantity)} is not a multiple of the step ${fixedString(step)}`;
  }
  if (minQuantity !== null && quantity < minQuantity) {
    return `quantity ${fixedString(quantity)} is below the minimum ${fixedString(minQuantity)}`;
  }
  if (maxQuantity !== null && quantity > maxQuantity) {
    return `quantity ${fixedString(quantity)} is above the maximum ${fixedString(maxQuantity)}`;
  }
  return null;
}

function notionalRefusal(notional: Fixed, lots: Lots, reduceOnly: boolean): string | null {
  const { minNotional } = lots;
  if (minNotional === null || reduceOnly || notional >= minNotional) return null;
  return `notional ${fixedString(notional)} is below the minimum ${fixedString(minNotional)}`;
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

const optional = (value: DecimalString | null): Fixed | null =>
  value === null ? null : fixed(value);

const floorToStep = (quantity: Fixed, step: Fixed | null): Fixed =>
  step === null ? quantity : quantity - (quantity % step);

function ageText(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
}
