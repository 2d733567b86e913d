// The exchange's book: orders, fills and what accounts hold. It computes money by itself and uses
// nothing of the product's ledger, so that both can be compared.
import { Decimal, decimal, toDecimalString, ZERO } from "#domain/decimal.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { Account } from "#ports/trade-channel.ts";
import type { BookFile } from "./book-file.ts";
import {
  type AccountOptions,
  type BookOrder,
  DUPLICATE,
  type OrderRequest,
  type WholeBook,
} from "./messages.ts";

/** Base and quote that all fills of a symbol have moved, fees included. */
interface Flow {
  base: Decimal;
  quote: Decimal;
}

/** How an order is to be filled, where that is not the market's business. */
export type Told = Pick<BookOrder, "steps" | "expires">;

type Refusals = WholeBook["refusals"];

/** What is told of each change of an order. */
type OnChange = (order: BookOrder) => void;

export class Book {
  readonly #file: BookFile;
  readonly #changed: OnChange;
  readonly #accounts = new Map<string, AccountOptions>();
  readonly #orders = new Map<string, BookOrder>();
  readonly #flows = new Map<string, Map<string, Flow>>();
  readonly #refusals: Refusals = [];
  readonly #prices = new Map<string, string>();
  #at = 0;
  #trades = 0;

  constructor(file: BookFile, changed: OnChange) {
    this.#file = file;
    this.#changed = changed;
    const stored = file.read();
    for (const one of stored.accounts) this.#accounts.set(one.name, one);
    for (const order of stored.orders) {
      this.#orders.set(order.exchangeOrderId, order);
      for (const fill of order.fills) this.#addFlow(order, fill);
      this.#trades += order.fills.length;
    }
    this.#refusals.push(...stored.refusals);
    for (const { at, prices } of stored.markets) this.#setMarket(at, prices);
  }

  /** Orders that are to be filled step by step. */
  get unfinished(): BookOrder[] {
    return [...this.#orders.values()].filter(({ status, steps }) => status === "open" && steps);
  }

  openAccount(options: AccountOptions): void {
    this.#accounts.set(options.name, options);
    this.#file.append({ account: options });
  }

  /** The next prices; resting limit orders that they trade through are filled at their limit. */
  moveMarket(at: number, prices: Readonly<Record<string, string>>): void {
    this.#setMarket(at, prices);
    this.#file.append({ market: { at, prices } });
    for (const order of this.#orders.values()) {
      if (order.status === "open" && order.steps === null && this.#isReached(order)) {
        this.trade(order, null, order.limitPrice);
      }
    }
  }

  /** Takes an order; a report of `rejected` when it is refused. */
  place(account: string, request: OrderRequest, told: Told | null): OrderReport {
    const refusal = this.#refusalOf(account, request);
    if (refusal !== null) return this.refuse(account, request, refusal);
    const order: BookOrder = {
      ...request,
      ...(told ?? { steps: null, expires: false }),
      account,
      exchangeOrderId: `x-${this.#orders.size + 1}`,
      status: "open",
      fills: [],
      reason: null,
    };
    this.#orders.set(order.exchangeOrderId, order);
    this.#store(order);
    if (told === null && (order.priceMode === "market" || this.#isReached(order))) {
      this.trade(order, null);
    }
    return reportOf(order);
  }

  refuse(account: string, request: OrderRequest, reason: string): OrderReport {
    const { clientOrderId, symbol } = request;
    const refusal = { account, clientOrderId, reason };
    this.#refusals.push(refusal);
    this.#file.append({ refusal });
    return { clientOrderId, symbol, exchangeOrderId: null, status: "rejected", fills: [], reason };
  }

  /** The newest order of that id. */
  find(account: string, clientOrderId: string): BookOrder | null {
    const isIt = (order: BookOrder) =>
      order.account === account && order.clientOrderId === clientOrderId;
    return [...this.#orders.values()].findLast(isIt) ?? null;
  }

  byClientId(clientOrderId: string): BookOrder {
    const isIt = (order: BookOrder) => order.clientOrderId === clientOrderId;
    const found = [...this.#orders.values()].findLast(isIt);
    if (found === undefined) throw new Error(`no order ${clientOrderId}`);
    return found;
  }

  open(account: string | null): BookOrder[] {
    return [...this.#orders.values()].filter(
      (order) => order.status === "open" && (account === null || order.account === account),
    );
  }

  /**
   * Fills so much of an open order, or all that is left; a reduce-only order no more than it reduces.
   * At the market's price, or its limit where that is better, unless told at which.
   */
  trade(order: BookOrder, quantity: Decimal | null, price: string | null = null): void {
    if (order.status !== "open") return;
    const wanted = Decimal.min(quantity ?? leftOf(order), leftOf(order));
    const possible = Decimal.min(wanted, this.#reducible(order) ?? wanted);
    if (possible.gt(0)) {
      this.#execute(order, possible, price === null ? this.#takerPrice(order) : decimal(price));
    }
    if (leftOf(order).lte(0)) order.status = "filled";
    else if (possible.lt(wanted))
      this.#end(order, "expired", "reduce-only: nothing left to reduce");
    this.#store(order);
  }

  end(order: BookOrder, status: "cancelled" | "expired", reason: string): void {
    if (order.status !== "open") return;
    this.#end(order, status, reason);
    this.#store(order);
  }

  /** Remembers that a step has been carried out. */
  dropStep(order: BookOrder): void {
    order.steps?.shift();
  }

  account(name: string): Account {
    const options = this.#optionsOf(name);
    const isSpot = options.marketType === "spot";
    return { ...(isSpot ? this.#spot(options) : this.#perpetual(options)), at: this.#at };
  }

  whole(calls: Readonly<Record<string, number>>): WholeBook {
    const accounts = [...this.#accounts.values()].map((options) => {
      const flows = [...(this.#flows.get(options.name) ?? [])].map(([symbol, flow]) => ({
        symbol,
        base: toDecimalString(flow.base),
        quote: toDecimalString(flow.quote),
      }));
      return { ...options, flows };
    });
    return {
      accounts,
      orders: [...this.#orders.values()],
      refusals: this.#refusals,
      calls: { ...calls },
    };
  }

  #setMarket(at: number, prices: Readonly<Record<string, string>>): void {
    this.#at = at;
    for (const [symbol, price] of Object.entries(prices)) this.#prices.set(symbol, price);
  }

  #end(order: BookOrder, status: "cancelled" | "expired", reason: string): void {
    Object.assign(order, { status, reason, steps: null });
  }

  /** On disk before anybody hears of it. */
  #store(order: BookOrder): void {
    this.#file.append({ order });
    this.#changed(order);
  }

  #refusalOf(account: string, request: OrderRequest): string | null {
    const { idsTaken, marketType } = this.#optionsOf(account);
    const known = this.find(account, request.clientOrderId);
    if (known !== null && (idsTaken === "for ever" || known.status === "open")) return DUPLICATE;
    if (this.#prices.get(request.symbol) === undefined) return `no price for ${request.symbol}`;
    if (marketType === "spot") return this.#unaffordable(account, request);
    const reducible = this.#reducible({ ...request, account });
    return reducible?.lte(0) === true ? "reduce-only: nothing to reduce" : null;
  }

  #unaffordable(
    account: string,
    { symbol, side, quantity, ...request }: OrderRequest,
  ): string | null {
    const free = (currency: string) =>
      this.account(account).balances.find((one) => one.currency === currency)?.free ?? "0";
    const [base = "", quote = ""] = symbol.split("/");
    const price = request.limitPrice ?? this.#priceOf(symbol);
    const needed = side === "SELL" ? decimal(quantity) : decimal(quantity).times(price);
    const currency = side === "SELL" ? base : quote;
    return needed.gt(free(currency))
      ? `insufficient balance: ${needed.toFixed()} ${currency}`
      : null;
  }

  #isReached({ priceMode, limitPrice, side, symbol }: BookOrder): boolean {
    const price = this.#prices.get(symbol);
    if (priceMode === "market" || limitPrice === null || price === undefined) return false;
    return side === "BUY" ? decimal(price).lte(limitPrice) : decimal(price).gte(limitPrice);
  }

  /** How much of its position the order may still take away; null where nothing limits it. */
  #reducible(order: OrderRequest & { account: string }): Decimal | null {
    if (!order.reduceOnly || this.#optionsOf(order.account).marketType === "spot") return null;
    const held = this.#flows.get(order.account)?.get(order.symbol)?.base ?? ZERO;
    return Decimal.max(ZERO, order.side === "SELL" ? held : held.negated());
  }

  #execute(order: BookOrder, quantity: Decimal, price: Decimal): void {
    const { feeIn, feeRate, marketType } = this.#optionsOf(order.account);
    const isInBase = feeIn === "base" && marketType === "spot" && order.side === "BUY";
    const fee = (isInBase ? quantity : quantity.times(price)).times(feeRate);
    this.#trades += 1;
    const fill: BookOrder["fills"][number] = {
      tradeId: `t-${this.#trades}`,
      symbol: order.symbol,
      side: order.side,
      quantity: toDecimalString(quantity),
      price: toDecimalString(price),
      fee: { amount: toDecimalString(fee), currency: isInBase ? "base" : "quote" },
      at: this.#at,
      leverage: order.leverage,
    };
    order.fills.push(fill);
    this.#addFlow(order, fill);
  }

  /** A limit order never trades at worse than its limit. */
  #takerPrice({ limitPrice, side, symbol }: BookOrder): Decimal {
    const price = this.#priceOf(symbol);
    if (limitPrice === null) return price;
    return side === "BUY" ? Decimal.min(price, limitPrice) : Decimal.max(price, limitPrice);
  }

  #priceOf(symbol: string): Decimal {
    const price = this.#prices.get(symbol);
    if (price === undefined) throw new Error(`no price for ${symbol}`);
    return decimal(price);
  }

  #addFlow({ account, symbol }: BookOrder, fill: BookOrder["fills"][number]): void {
    const flows = this.#flows.get(account) ?? new Map<string, Flow>();
    this.#flows.set(account, flows);
    const { base, quote } = flows.get(symbol) ?? { base: ZERO, quote: ZERO };
    const sign = fill.side === "BUY" ? 1 : -1;
    const notional = decimal(fill.quantity).times(fill.price);
    const fee = decimal(fill.fee.amount);
    const [baseFee, quoteFee] = fill.fee.currency === "base" ? [fee, ZERO] : [ZERO, fee];
    flows.set(symbol, {
      base: base.plus(decimal(fill.quantity).times(sign)).minus(baseFee),
      quote: quote.minus(notional.times(sign)).minus(quoteFee),
    });
  }

  #spot({ name, deposit }: AccountOptions): Omit<Account, "at"> {
    const totals = new Map<string, Decimal>([["USDT", decimal(deposit)]]);
    const reserved = new Map<string, Decimal>();
    const add = (to: Map<string, Decimal>, currency: string, amount: Decimal) =>
      to.set(currency, (to.get(currency) ?? ZERO).plus(amount));
    for (const [symbol, flow] of this.#flows.get(name) ?? []) {
      const [base = "", quote = ""] = symbol.split("/");
      add(totals, base, flow.base);
      add(totals, quote, flow.quote);
    }
    for (const order of this.open(name)) {
      const [base = "", quote = ""] = order.symbol.split("/");
      const left = leftOf(order);
      if (order.side === "SELL") add(reserved, base, left);
      else add(reserved, quote, left.times(order.limitPrice ?? this.#priceOf(order.symbol)));
    }
    const balances = [...totals].map(([currency, total]) => {
      const bound = reserved.get(currency) ?? ZERO;
      const free = toDecimalString(total.minus(bound));
      return { currency, free, reserved: toDecimalString(bound) };
    });
    return { balances, positions: [] };
  }

  /** No margin is reserved: its accounts are deep. */
  #perpetual({ name, deposit }: AccountOptions): Omit<Account, "at"> {
    let wallet = decimal(deposit);
    const positions: Account["positions"][number][] = [];
    for (const [symbol, { base, quote }] of this.#flows.get(name) ?? []) {
      const cost = this.#costOf(name, symbol);
      wallet = wallet.plus(quote).plus(cost);
      if (base.isZero()) continue;
      const entryPrice = toDecimalString(cost.div(base));
      positions.push({ symbol, quantity: toDecimalString(base), entryPrice });
    }
    const free = toDecimalString(wallet);
    return { balances: [{ currency: "USDT", free, reserved: "0" }], positions };
  }

  /** What the open position cost, at the average of its entries; signed like the position. */
  #costOf(account: string, symbol: string): Decimal {
    let [held, cost] = [ZERO, ZERO];
    const fills = [...this.#orders.values()]
      .filter((order) => order.account === account && order.symbol === symbol)
      .flatMap((order) => order.fills)
      .toSorted((one, other) => tradeNumber(one) - tradeNumber(other));
    for (const { price, quantity, side } of fills) {
      const moved = decimal(quantity).times(side === "BUY" ? 1 : -1);
      const after = held.plus(moved);
      if (held.isZero() || held.isPositive() === moved.isPositive())
        cost = cost.plus(moved.times(price));
      else if (after.isZero() || after.isPositive() !== held.isPositive())
        cost = after.times(price);
      else cost = cost.times(after).div(held);
      held = after;
    }
    return cost;
  }

  #optionsOf(account: string): AccountOptions {
    const options = this.#accounts.get(account);
    if (options === undefined) throw new Error(`no account ${account}`);
    return options;
  }
}

const tradeNumber = ({ tradeId }: BookOrder["fills"][number]): number => Number(tradeId.slice(2));

export function leftOf({ fills, quantity }: BookOrder): Decimal {
  return fills.reduce((left, fill) => left.minus(fill.quantity), decimal(quantity));
}

export function reportOf(order: BookOrder): OrderReport {
  const { clientOrderId, exchangeOrderId, fills, reason, status, symbol } = order;
  return { clientOrderId, symbol, exchangeOrderId, status, fills: [...fills], reason };
}
