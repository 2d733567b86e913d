import type { MarketSnapshot } from "#domain/market.ts";
import type { ExecutionReport, InstrumentRules, MarketType, Order } from "#domain/trading.ts";

/** Where orders go. One report per order, in the orders' sequence; it never throws for one order. */
export interface TradeChannel {
  /** As named by definitions, e.g. `binance_spot`. */
  readonly name: string;
  /** `live` channels need intent committed before sending (I3). */
  readonly kind: "paper" | "live";
  readonly marketType: MarketType;
  /** Most leverage the venue allows; 1 on spot. */
  readonly maxLeverage: number;
  /** Highest fee, fraction of notional: what the normaliser reserves. */
  readonly takerFeeRate: number;
  /** Expected slippage on a market order, fraction: what the normaliser reserves. */
  readonly slippageRate: number;
  rules(symbol: string): InstrumentRules;
  execute(
    orders: readonly Order[],
    market: MarketSnapshot,
  ): Promise<ExecutionReport[]> | ExecutionReport[];
}
