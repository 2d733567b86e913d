import { decimal, toDecimalString, type DecimalString } from "#domain/decimal.ts";
import { fixedOf, fixedString } from "#domain/fixed.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { Holding, PortfolioView } from "#domain/portfolio.ts";

export function holdingOf(portfolio: PortfolioView, symbol: string): Holding | undefined {
  return portfolio.holdings.find((holding) => holding.symbol === symbol);
}

/** The price something new may be opened at (I11), quote currency; null: none that is fresh. */
export function freshPrice(market: MarketSnapshot, symbol: string): number | null {
  const quote = market.quotes[symbol];
  if (quote === undefined || quote.quality !== "fresh") return null;
  const price = Number(quote.price);
  return price > 0 && Number.isFinite(price) ? price : null;
}

/** Base currency; null when nothing is left at the precision of storage. */
export function quantityOf(amount: number): DecimalString | null {
  if (!(amount > 0) || !Number.isFinite(amount)) return null;
  const quantity = fixedOf(amount);
  return quantity === 0n ? null : fixedString(quantity);
}

/** A fraction (0..1) of a holding; the whole of it to its last decimal. */
export function fractionOfHolding(holding: Holding, fraction: number): DecimalString | null {
  const held = decimal(holding.quantity).abs();
  if (fraction >= 1) return toDecimalString(held);
  const quantity = toDecimalString(held.times(decimal(fraction)));
  return fraction <= 0 || quantity === "0" ? null : quantity;
}
