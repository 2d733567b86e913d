import type { InstrumentRules, MarketType, Order } from "#domain/trading.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { Account, LiveChannel, OrderKey } from "#ports/trade-channel.ts";
import { Calls } from "./calls.ts";
import { account, DUPLICATE, orderReport, type OrderRequest } from "./messages.ts";

export interface ExchangeChannelOptions {
  /** Of the exchange, `ws://…`. */
  url: string;
  /** The channel's name, and that of its account. */
  name: string;
  marketType: MarketType;
  feeRate: number;
  /** How long the exchange may take to answer, ms. */
  timeoutMs?: number;
  /**
   * What `place` makes of a refusal because the id is taken: it rejects, for the refusal says nothing of
   * the order; or it passes the refusal on as it is, as a careless channel would.
   */
  duplicates?: "rejected" | "passed on";
}

/** The test exchange as a channel of the engine. */
export class ExchangeChannel implements LiveChannel, AsyncDisposable {
  readonly kind = "live";
  readonly name: string;
  readonly marketType: MarketType;
  readonly maxLeverage: number;
  readonly takerFeeRate: number;
  readonly slippageRate = 0.001;
  readonly #calls: Calls;
  readonly #passesDuplicatesOn: boolean;
  readonly #listeners = new Set<(report: OrderReport) => void>();

  constructor(options: ExchangeChannelOptions) {
    const { feeRate, marketType, name, timeoutMs = 2_000, url } = options;
    this.#passesDuplicatesOn = options.duplicates === "passed on";
    this.name = name;
    this.marketType = marketType;
    this.maxLeverage = marketType === "spot" ? 1 : 10;
    this.takerFeeRate = feeRate;
    this.#calls = new Calls({
      url: `${url}/trade?account=${name}`,
      timeoutMs,
      onReport: (report) => {
        for (const listener of this.#listeners) listener(report);
      },
    });
  }

  rules(symbol: string): InstrumentRules {
    return {
      symbol,
      quantityStep: "0.00001",
      minQuantity: "0.00001",
      maxQuantity: null,
      minNotional: "5",
    };
  }

  async place(order: Order, signal: AbortSignal): Promise<OrderReport> {
    const request = { call: "place", order: requestOf(order) };
    const report = orderReport.parse(await this.#calls.call(request, signal));
    // It says that an order of this id is there and not what became of it: that is for `find` to ask.
    if (report.reason === DUPLICATE && !this.#passesDuplicatesOn) throw new Error(DUPLICATE);
    return report;
  }

  find(order: OrderKey, signal: AbortSignal): Promise<OrderReport | null> {
    return this.#ask("find", order, signal);
  }

  cancel(order: OrderKey, signal: AbortSignal): Promise<OrderReport | null> {
    return this.#ask("cancel", order, signal);
  }

  async openOrders(signal: AbortSignal): Promise<OrderReport[]> {
    return orderReport.array().parse(await this.#calls.call({ call: "openOrders" }, signal));
  }

  async account(signal: AbortSignal): Promise<Account> {
    return account.parse(await this.#calls.call({ call: "account" }, signal));
  }

  onReport(listener: (report: OrderReport) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#calls[Symbol.asyncDispose]();
  }

  async #ask(
    call: "find" | "cancel",
    { clientOrderId, symbol }: OrderKey,
    signal: AbortSignal,
  ): Promise<OrderReport | null> {
    const request = { call, order: { clientOrderId, symbol } };
    return orderReport.nullable().parse(await this.#calls.call(request, signal));
  }
}

function requestOf(order: Order): OrderRequest {
  const { clientOrderId, leverage, limitPrice, priceMode, quantity, reduceOnly, side, symbol } =
    order;
  return { clientOrderId, leverage, limitPrice, priceMode, quantity, reduceOnly, side, symbol };
}
