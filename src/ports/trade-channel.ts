import type { BarVolumes } from "#domain/bar-volumes.ts";
import type { DecimalString } from "#domain/decimal.ts";
import type { Fixed } from "#domain/fixed.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { PaperTerms } from "#domain/paper-terms.ts";
import type { ExecutionReport, InstrumentRules, MarketType, Order } from "#domain/trading.ts";

/** What is known of every venue before anything is sent to it. */
export interface Venue {
  /** As named by definitions, e.g. `binance_spot`. */
  readonly name: string;
  readonly marketType: MarketType;
  /** Most leverage the venue allows; 1 on spot. */
  readonly maxLeverage: number;
  /** Highest fee, fraction of notional: what the normaliser reserves. */
  readonly takerFeeRate: number;
  /** Expected slippage on a market order, fraction: what the normaliser reserves. */
  readonly slippageRate: number;
  rules(symbol: string): InstrumentRules;
}

/** What a paper venue must know of the account that orders. */
export interface PaperAccount {
  /** What bars still have to give to this strategy; the fills are taken out of it. */
  volumes: BarVolumes;
  /** Spot: free quote currency, from which purchases are paid. Null on a perpetual. */
  cash: Fixed | null;
}

/** Simulated execution: the answer is known at once, so a cycle is one commit. */
export interface PaperChannel extends Venue {
  readonly kind: "paper";
  readonly terms: PaperTerms;
  /** One report per order, in the orders' sequence; it never throws for one order. */
  execute(
    orders: readonly Order[],
    market: MarketSnapshot,
    account?: PaperAccount,
  ): Promise<ExecutionReport[]> | ExecutionReport[];
}

/** What identifies an order on the venue; the client order id derives from the instruction (I4). */
export type OrderKey = Pick<Order, "clientOrderId" | "symbol">;

export interface Account {
  /** Free and reserved amounts by currency. */
  balances: readonly { currency: string; free: DecimalString; reserved: DecimalString }[];
  /** Base currency, signed; spot venues have none. */
  positions: readonly { symbol: string; quantity: DecimalString; entryPrice: DecimalString }[];
  /** When the venue said so, ms UTC. */
  at: number;
}

/**
 * A venue that money is sent to. Orders are committed as intent before they are placed (I3), and asked
 * for by their client order id before they are placed again (I4).
 *
 * Every call that rejects leaves the outcome unknown, whatever the error: the caller asks with `find`.
 * A refusal by the venue is an answer, a report with the status `rejected`.
 */
export interface LiveChannel extends Venue {
  readonly kind: "live";
  /** Sends one order and answers with what the venue said of it; it may still be open. */
  place(order: Order, signal: AbortSignal): Promise<OrderReport>;
  /** What became of an order; null when the venue does not know it (yet). */
  find(order: OrderKey, signal: AbortSignal): Promise<OrderReport | null>;
  /** Asks for the rest of an order to be cancelled; null when the venue does not know the order. */
  cancel(order: OrderKey, signal: AbortSignal): Promise<OrderReport | null>;
  openOrders(signal: AbortSignal): Promise<OrderReport[]>;
  account(signal: AbortSignal): Promise<Account>;
  /**
   * Calls `listener` with reports that come later: partial fills, fills of resting orders, cancellations.
   * They may come late, twice, out of order or not at all, so `find` is asked as well. Returns what
   * ends it.
   */
  onReport(listener: (report: OrderReport) => void): () => void;
}

/** Where orders go. */
export type TradeChannel = PaperChannel | LiveChannel;
