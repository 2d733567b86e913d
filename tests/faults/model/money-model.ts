// The money of one strategy as a reader of the documentation would compute it: decimals of 18 places,
// rounded half to even. It shares no code with the engine's ledger on purpose.
import { Decimal as Base } from "decimal.js";
import { priceAt, SYMBOLS, type TradedSymbol } from "./script.ts";

const Decimal = Base.clone({ precision: 80, toExpNeg: -40, toExpPos: 40 });
type Amount = InstanceType<typeof Decimal>;

export type Market = "spot" | "perpetual";

/** The documented paper channels: fee and slippage as fractions, quantity step, least notional. */
const VENUES = {
  spot: {
    fee: "0.001",
    slippage: "0.0005",
    lots: { "BTC/USDT": ["0.00001", "5"], "ETH/USDT": ["0.0001", "5"] },
  },
  perpetual: {
    fee: "0.0005",
    slippage: "0.0003",
    lots: { "BTC/USDT": ["0.001", "100"], "ETH/USDT": ["0.001", "20"] },
  },
} as const;

export interface Money {
  market: Market;
  cash: string;
  realized: string;
  trades: number;
  /** Signed. */
  positions: Partial<Record<TradedSymbol, { quantity: string; cost: string }>>;
}

interface Order {
  symbol: TradedSymbol;
  quantity: string;
  action: "open_long" | "open_short" | "close_long" | "close_short";
}

const round = (value: Amount): Amount => value.toDecimalPlaces(18, Base.ROUND_HALF_EVEN);
const text = (value: Amount): string => round(value).toFixed();

export function newMoney(market: Market, balance: string): Money {
  return { market, cash: balance, realized: "0", trades: 0, positions: {} };
}

/** Closings first; an opening against a position closes all of it before; what cannot be is left out. */
export function trade(money: Money, orders: readonly Order[], at: number): void {
  const closes = orders.map((order) => closing(money, order));
  for (const close of closes) if (close !== null) fill(money, close, at);
  for (const order of orders) {
    if (order.action.startsWith("close")) continue;
    if (order.action === "open_short" && money.market === "spot") continue;
    const quantity = affordable(money, order, at);
    const signed = order.action === "open_long" ? quantity : quantity.neg();
    if (!quantity.isZero()) fill(money, { symbol: order.symbol, quantity: signed }, at);
  }
}

/** Everything held, by symbol. */
export function closeAll(money: Money, at: number): void {
  for (const symbol of SYMBOLS) {
    const held = money.positions[symbol];
    if (held !== undefined) fill(money, { symbol, quantity: new Decimal(held.quantity).neg() }, at);
  }
}

/** The average entry price. */
export function averageOf(cost: string, quantity: string): string {
  return text(new Decimal(cost).div(quantity));
}

export function isFlat({ positions }: Money): boolean {
  return Object.keys(positions).length === 0;
}

export interface Worth {
  totalValue: string;
  unrealized: string;
}

export function worthAt({ cash, market, positions }: Money, at: number): Worth {
  let unrealized = new Decimal(0);
  let value = new Decimal(0);
  for (const symbol of SYMBOLS) {
    const held = positions[symbol];
    if (held === undefined) continue;
    const now = round(new Decimal(held.quantity).mul(priceAt(symbol, at)));
    value = value.add(now);
    unrealized = unrealized.add(now.sub(held.cost));
  }
  const total = new Decimal(cash).add(market === "spot" ? value : unrealized);
  return { totalValue: text(total), unrealized: text(unrealized) };
}

function closing({ positions }: Money, { action, quantity, symbol }: Order) {
  const held = new Decimal(positions[symbol]?.quantity ?? 0);
  const reducesLong = action === "close_long" || action === "open_short";
  if (held.isZero() || held.isPositive() !== reducesLong) return null;
  const size = action.startsWith("open") ? held.abs() : Decimal.min(held.abs(), quantity);
  return { symbol, quantity: reducesLong ? size.neg() : size };
}

/**
 * No more than can be paid for, fee and slippage included: out of cash on spot, out of the equity that
 * is not margin on a perpetual, whose leverage is 1 here. On the step, and above the least.
 */
function affordable(money: Money, { quantity, symbol }: Order, at: number): Amount {
  const { fee, lots, slippage } = VENUES[money.market];
  const [step, leastNotional] = lots[symbol];
  const price = new Decimal(priceAt(symbol, at));
  const unit = price.mul(new Decimal(slippage).add(1)).mul(new Decimal(fee).add(1));
  const most = Decimal.max(0, Decimal.min(quantity, freeToSpend(money, at).div(unit)));
  const onStep = most.div(step).floor().mul(step);
  return onStep.mul(price).lt(leastNotional) ? new Decimal(0) : onStep;
}

function freeToSpend(money: Money, at: number): Amount {
  if (money.market === "spot") return new Decimal(money.cash);
  const margins = SYMBOLS.map((symbol) =>
    new Decimal(money.positions[symbol]?.quantity ?? 0).mul(priceAt(symbol, at)).abs(),
  );
  return margins.reduce(
    (left, margin) => left.sub(margin),
    new Decimal(worthAt(money, at).totalValue),
  );
}

/** One fill at the recorded price, made worse by the slippage. */
function fill(money: Money, order: { symbol: TradedSymbol; quantity: Amount }, at: number): void {
  const { quantity, symbol } = order;
  const venue = VENUES[money.market];
  const worse = new Decimal(venue.slippage).mul(quantity.isNegative() ? -1 : 1).add(1);
  const price = round(worse.mul(priceAt(symbol, at)));
  const notional = round(quantity.mul(price));
  const fee = round(notional.abs().mul(venue.fee));
  const before = money.positions[symbol] ?? { quantity: "0", cost: "0" };
  const held = new Decimal(before.quantity);
  const after = held.add(quantity);
  const isReduction = !held.isZero() && held.isPositive() !== quantity.isPositive();
  const closedCost = isReduction
    ? round(quantity.neg().mul(before.cost).div(held))
    : new Decimal(0);
  // What came in minus what had gone out, in signed notionals.
  const gross = isReduction ? notional.neg().sub(closedCost) : new Decimal(0);
  const cost = isReduction ? closedCost.neg() : notional;
  const paid = money.market === "spot" ? notional.neg() : gross;
  money.cash = text(new Decimal(money.cash).add(paid).sub(fee));
  money.realized = text(new Decimal(money.realized).add(gross).sub(fee));
  money.trades += 1;
  if (after.isZero()) delete money.positions[symbol];
  else {
    const total = new Decimal(before.cost).add(cost);
    money.positions[symbol] = { quantity: text(after), cost: text(total) };
  }
}
