// Simulated execution: what a venue would have done with an order at the tick's price.
import { BarVolumes, type VolumeSource } from "#domain/bar-volumes.ts";
import type { DecimalString } from "#domain/decimal.ts";
import { errorMessage } from "#domain/errors.ts";
import {
  type Fixed,
  fixed,
  fixedOf,
  fixedString,
  larger,
  multiply,
  parseFixed,
  smaller,
} from "#domain/fixed.ts";
import type { MarketSnapshot, Quote } from "#domain/market.ts";
import { type PaperTerms, slipped } from "#domain/paper-terms.ts";
import { PAPER_LIQUIDATION } from "#domain/perpetual.ts";
import type { ExecutionReport, InstrumentRules, MarketType, Order } from "#domain/trading.ts";
import type { PaperAccount, PaperChannel } from "#ports/trade-channel.ts";

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
  /** Most of a bar's volume one strategy gets out of it, fraction; null: all it asks. */
  maxVolumeShare: number | null;
  /** How long after a funding payment an opening still pays it, ms; none when left out. */
  fundingGraceMs?: number;
  /** Rules by base currency, e.g. `BTC`. */
  rules: Readonly<Record<string, LotRules>>;
  /** For every other base currency. */
  defaultRules: LotRules;
}

/** Opens the paper channel of a profile. It keeps no state: equal order and market, equal report. */
export function createPaperChannel(profile: PaperProfile): PaperChannel {
  const terms = termsOf(profile);
  const venue = new PaperVenue(profile, terms);
  return {
    name: profile.name,
    kind: "paper",
    marketType: profile.marketType,
    maxLeverage: profile.maxLeverage,
    takerFeeRate: profile.takerFeeRate,
    slippageRate: profile.slippageBps / 10_000,
    terms,
    rules: (symbol) => ({ symbol, ...lotRulesOf(profile, symbol) }),
    execute: (orders, market, account) => {
      const session = { market, ...(account ?? { volumes: volumesOf(terms), cash: null }) };
      return orders.map((order) => venue.execute(order, session));
    },
  };
}

function termsOf(profile: PaperProfile): PaperTerms {
  return {
    feeRate: fixedOf(profile.takerFeeRate),
    slippage: fixedOf(profile.slippageBps) / 10_000n,
    volumeShare: profile.maxVolumeShare === null ? null : fixedOf(profile.maxVolumeShare),
    liquidation: profile.marketType === "spot" ? null : PAPER_LIQUIDATION,
    fundingGraceMs: profile.fundingGraceMs ?? 0,
  };
}

const volumesOf = ({ volumeShare }: PaperTerms): BarVolumes => new BarVolumes(volumeShare);

/** One cycle's orders: each meets what the ones before it have left. */
interface Session extends PaperAccount {
  market: MarketSnapshot;
}

/** The rules with their numbers parsed once. */
interface Lots {
  step: Fixed | null;
  minQuantity: Fixed | null;
  maxQuantity: Fixed | null;
  minNotional: Fixed | null;
}

/** A fill, or why there is none. */
type Match = Filled | { refusal: string };

interface Filled {
  price: Fixed;
  quantity: Fixed;
  shortfall: string | null;
  source: VolumeSource;
}

class PaperVenue {
  readonly #profile: PaperProfile;
  readonly #terms: PaperTerms;
  readonly #lots = new Map<string, Lots>();

  constructor(profile: PaperProfile, terms: PaperTerms) {
    this.#profile = profile;
    this.#terms = terms;
  }

  execute(order: Order, session: Session): ExecutionReport {
    try {
      const match = this.#match(order, session);
      return "refusal" in match
        ? rejected(order, match.refusal)
        : this.#fill(order, session, match);
    } catch (error) {
      return { ...rejected(order, errorMessage(error)), status: "error" };
    }
  }

  #match(order: Order, session: Session): Match {
    const { market } = session;
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
    return available(asked, price, { quote, step: lots.step, volumes: session.volumes });
  }

  /** The price now, made worse by slippage but never past the limit; null: the limit is not reached. */
  #priceOf(order: Order, price: Fixed): Fixed | null {
    const buys = order.side === "BUY";
    const made = slipped(price, buys, this.#terms);
    if (order.priceMode === "market") return made;
    if (order.limitPrice === null) throw new Error("a limit order without a limit price");
    const limit = fixed(order.limitPrice);
    if (buys) return price <= limit ? smaller(made, limit) : null;
    return price >= limit ? larger(made, limit) : null;
  }

  #fill(order: Order, session: Session, match: Filled): ExecutionReport {
    const { price, quantity, shortfall, source } = match;
    const notional = multiply(quantity, price);
    const fee = multiply(notional, this.#terms.feeRate);
    const refusal = pay(session, order, { notional, fee });
    if (refusal !== null) return rejected(order, refusal);
    session.volumes.take(source, quantity);
    return {
      instructionId: order.instructionId,
      status: shortfall === null ? "filled" : "partial",
      fills: [
        {
          symbol: order.symbol,
          side: order.side,
          quantity: fixedString(quantity),
          price: fixedString(price),
          fee: { amount: fixedString(fee), currency: "quote" },
          at: session.market.at,
          leverage: order.leverage,
        },
      ],
      reason: shortfall,
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

function available(
  asked: Fixed,
  price: Fixed,
  { quote, step, volumes }: { quote: Quote; step: Fixed | null; volumes: BarVolumes },
): Match {
  const source = { symbol: quote.symbol, barCloseAt: quote.at, volume: quote.barVolume };
  const most = volumes.available(source);
  if (most === null || asked <= most) return { price, quantity: asked, shortfall: null, source };
  const quantity = floorToStep(most, step);
  const shortfall = volumes.shortfall(source, { asked, filled: quantity });
  return quantity === 0n ? { refusal: shortfall } : { price, quantity, shortfall, source };
}

/** A spot venue takes no order that the account cannot pay: an earlier sale may have brought less. */
function pay(
  session: Session,
  { side }: Order,
  { notional, fee }: { notional: Fixed; fee: Fixed },
): string | null {
  if (session.cash === null) return null;
  const left = session.cash + (side === "BUY" ? -notional : notional) - fee;
  if (left < 0n) {
    return `costs ${fixedString(notional + fee)}, the account has ${fixedString(session.cash)}`;
  }
  session.cash = left;
  return null;
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
