import { applyFill, openLedger, valuePortfolio } from "#domain/ledger.ts";
import type { MarketSnapshot, Quote } from "#domain/market.ts";
import { type PlanInput, normalisePlan } from "#domain/orders.ts";
import type { Ledger, PortfolioView, TradeLeg } from "#domain/portfolio.ts";
import type { Fill, InstrumentRules, MarketType, PlanItem } from "#domain/trading.ts";
import { Decimal } from "#domain/decimal.ts";
import { z } from "zod";

export const T0 = Date.UTC(2026, 0, 1);
export const HOUR = 3_600_000;
export const BTC = "BTC-USDT";
export const ETH = "ETH-USDT";
export const COMPOSE_ID = "5f0f2a9e-0c5c-5c0e-9a53-0d5a3b1e7c11";

/** Numbers in the recorded files come as numbers or as text. */
export const numberText = z.union([z.string(), z.number()]).transform(String);

export function ledgerOf(marketType: MarketType, initialBalance = "10000"): Ledger {
  return openLedger({ marketType, initialBalance });
}

export function fillOf(side: Fill["side"], quantity: string, rest: Partial<Fill> = {}): Fill {
  return {
    symbol: BTC,
    side,
    quantity,
    price: "100",
    fee: { amount: "0", currency: "quote" },
    at: T0,
    leverage: 1,
    ...rest,
  };
}

/** Books the fills one after the other, each as an instruction of its own. */
export function fold(ledger: Ledger, fills: readonly Fill[]): { ledger: Ledger; legs: TradeLeg[] } {
  const legs: TradeLeg[] = [];
  let current = ledger;
  for (const [index, fill] of fills.entries()) {
    const booked = applyFill(current, fill, { instructionId: COMPOSE_ID, fillIndex: index });
    current = booked.ledger;
    legs.push(...booked.legs);
  }
  return { ledger: current, legs };
}

export function quoteOf(symbol: string, price: string, rest: Partial<Quote> = {}): Quote {
  return {
    symbol,
    price,
    at: T0 + HOUR,
    quality: "fresh",
    source: "test",
    low: price,
    high: price,
    barVolume: "1000",
    ...rest,
  };
}

export function marketOf(
  prices: Record<string, string | Quote>,
  at: number = T0 + HOUR,
): MarketSnapshot {
  const quotes = Object.entries(prices).map(([symbol, price]): [string, Quote] => [
    symbol,
    typeof price === "string" ? quoteOf(symbol, price, { at }) : price,
  ]);
  return { at, quotes: Object.fromEntries(quotes), funding: [], facts: {} };
}

export function viewOf(
  ledger: Ledger,
  prices: Record<string, string | Quote>,
  maxLeverage = 1,
): PortfolioView {
  return valuePortfolio(ledger, marketOf(prices), { maxLeverage }).view;
}

/** I10: initial + external + realized + unrealized, which the equity must equal to the last decimal. */
export function identityOf(ledger: Ledger, view: PortfolioView): string {
  return Decimal.sum(
    ledger.initialBalance,
    ledger.externalTransfers,
    ledger.realizedPnl,
    view.unrealizedPnl,
  ).toFixed();
}

export const NO_RULES: Omit<InstrumentRules, "symbol"> = {
  quantityStep: null,
  minQuantity: null,
  maxQuantity: null,
  minNotional: null,
};

export function plan(
  ledger: Ledger,
  prices: Record<string, string | Quote>,
  options: { items: readonly PlanItem[] } & Partial<PlanInput> & {
      rules?: Partial<InstrumentRules>;
    },
): ReturnType<typeof normalisePlan> {
  const limits = options.limits ?? { maxPositions: 5, maxLeverage: 1, maxPositionQuantity: null };
  const market = marketOf(prices);
  return normalisePlan({
    composeId: COMPOSE_ID,
    ledger,
    view: valuePortfolio(ledger, market, { maxLeverage: limits.maxLeverage }).view,
    market,
    marketType: ledger.marketType,
    rulesOf: (symbol) => ({ ...NO_RULES, ...options.rules, symbol }),
    takerFeeRate: 0,
    slippageRate: 0,
    ...options,
    limits,
  });
}

/** The worst a channel with these rates may give: whole, at full slippage, each amount rounded up. */
export function worstFills(
  orders: ReturnType<typeof normalisePlan>["orders"],
  prices: Record<string, string>,
  rates: { fee: number; slippage: number },
): Fill[] {
  return orders.map((order, index) => {
    const slip = order.side === "BUY" ? 1 + rates.slippage : 1 - rates.slippage;
    const price = new Decimal(prices[order.symbol] ?? 0)
      .times(slip)
      .toDecimalPlaces(18, Decimal.ROUND_UP);
    const fee = price.times(order.quantity).times(rates.fee).toDecimalPlaces(18, Decimal.ROUND_UP);
    return fillOf(order.side, order.quantity, {
      symbol: order.symbol,
      price: price.toFixed(),
      fee: { amount: fee.toFixed(), currency: "quote" },
      at: T0 + HOUR + index,
      leverage: order.leverage,
    });
  });
}
