import { type Fixed, absolute, divide, fixed, fixedOf, fixedString, multiply } from "./fixed.ts";
import type { MarketSnapshot, Quote } from "./market.ts";
import { type Exposure, type LiquidationModel, liquidationPrices } from "./perpetual.ts";
import type { Holding, Ledger, PortfolioView, Position } from "./portfolio.ts";
import { usablePrice } from "./price.ts";

export interface ValuationOptions {
  /** ≥ 1; what the strategy's buying power is computed with. Ignored on spot. */
  maxLeverage: number;
  /** How liquidation prices are computed; without one they are null. Ignored on spot. */
  liquidation?: LiquidationModel | null;
}

interface Valued extends Exposure {
  position: Position;
  /** Signed, quote currency, at the storage scale. */
  value: Fixed;
  unrealized: Fixed;
  quality: Holding["markQuality"];
}

/**
 * Values the ledger at the market's prices. A held symbol without a usable price keeps its last mark
 * and says `stale` (I11). Returns the ledger with its marks, peak and drawdown moved on.
 * Spot equity = cash + Σ value; perpetual equity = wallet + Σ unrealized. Buying power: spot
 * max(0, cash); perpetual max(0, equity × maxLeverage − gross exposure).
 */
export function valuePortfolio(
  ledger: Ledger,
  market: Pick<MarketSnapshot, "at" | "quotes">,
  options: ValuationOptions,
): { view: PortfolioView; ledger: Ledger } {
  const valued = Object.keys(ledger.positions)
    .sort()
    .flatMap((symbol) => valueOne(ledger.positions[symbol], market.quotes[symbol]));
  const cash = fixed(ledger.cash);
  const total = totals(valued);
  const equity = cash + (ledger.marketType === "spot" ? total.net : total.unrealized);
  const buyingPower =
    ledger.marketType === "spot"
      ? cash
      : multiply(equity, fixedOf(options.maxLeverage)) - total.gross;
  const view: PortfolioView = {
    at: market.at,
    cash: ledger.cash,
    totalValue: fixedString(equity),
    realizedPnl: ledger.realizedPnl,
    unrealizedPnl: fixedString(total.unrealized),
    grossExposure: fixedString(total.gross),
    netExposure: fixedString(total.net),
    buyingPower: buyingPower < 0n ? "0" : fixedString(buyingPower),
    holdings: holdingsOf(ledger, valued, { cash, model: options.liquidation ?? null }),
  };
  return { view, ledger: advance(ledger, valued, equity) };
}

function valueOne(position: Position | undefined, quote: Quote | undefined): Valued[] {
  if (position === undefined) return [];
  const price = usablePrice(quote);
  const mark = price ?? fixed(position.markPrice);
  const quantity = fixed(position.quantity);
  const cost = fixed(position.cost);
  const value = multiply(quantity, mark);
  return [
    {
      symbol: position.symbol,
      position: price === null ? position : remarked(position, quote),
      quantity,
      cost,
      mark,
      leverage: position.leverage,
      value,
      unrealized: value - cost,
      quality: price !== null && quote?.quality === "fresh" ? "fresh" : "stale",
    },
  ];
}

function remarked(position: Position, quote: Quote | undefined): Position {
  if (quote === undefined) return position;
  if (position.markPrice === quote.price && position.markAt === quote.at) return position;
  return { ...position, markPrice: quote.price, markAt: quote.at };
}

function totals(valued: readonly Valued[]): { gross: Fixed; net: Fixed; unrealized: Fixed } {
  let gross = 0n;
  let net = 0n;
  let unrealized = 0n;
  for (const one of valued) {
    gross += absolute(one.value);
    net += one.value;
    unrealized += one.unrealized;
  }
  return { gross, net, unrealized };
}

function holdingsOf(
  ledger: Ledger,
  valued: readonly Valued[],
  { cash, model }: { cash: Fixed; model: LiquidationModel | null },
): Holding[] {
  const liquidations =
    ledger.marketType === "spot" || model === null ? [] : liquidationPrices(valued, cash, model);
  return valued.map((one, index) => holdingOf(one, liquidations[index] ?? null));
}

function holdingOf(one: Valued, liquidation: Fixed | null): Holding {
  const { position, quantity, cost } = one;
  return {
    symbol: one.symbol,
    type: quantity > 0n ? "LONG" : "SHORT",
    quantity: position.quantity,
    leverage: position.leverage,
    entryPrice: fixedString(divide(cost, quantity)),
    cost: position.cost,
    markPrice: position.markPrice,
    markQuality: one.quality,
    notional: fixedString(absolute(one.value)),
    unrealizedPnl: fixedString(one.unrealized),
    unrealizedPnlPct: cost === 0n ? "0" : fixedString(divide(one.unrealized, absolute(cost))),
    entryAt: position.entryAt,
    liquidationPrice: liquidation === null ? null : fixedString(liquidation),
  };
}

function advance(ledger: Ledger, valued: readonly Valued[], equity: Fixed): Ledger {
  const positions: Record<string, Position> = {};
  for (const { symbol, position } of valued) positions[symbol] = position;
  const peak = fixed(ledger.peakEquity);
  if (equity >= peak) {
    return { ...ledger, positions, peakEquity: fixedString(equity) };
  }
  return { ...ledger, positions, maxDrawdown: deepest(ledger.maxDrawdown, peak, equity) };
}

function deepest(known: string, peak: Fixed, equity: Fixed): string {
  if (peak <= 0n) return known;
  const fraction = divide(peak - equity, peak);
  return fraction > fixed(known) ? fixedString(fraction) : known;
}
