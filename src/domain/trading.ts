import type { DecimalString } from "./decimal.ts";

export type MarketType = "spot" | "perpetual";
export type TradingMode = "paper" | "live";
export type Side = "BUY" | "SELL";
export type PositionType = "LONG" | "SHORT";
export type TradeAction = "open_long" | "open_short" | "close_long" | "close_short" | "noop";

/** What a decision wants done; sizes are operation sizes (how much to trade), not targets. */
export interface PlanItem {
  symbol: string;
  action: TradeAction;
  /** Base currency, > 0. */
  quantity: DecimalString;
  /** Perpetuals only; clamped to the venue's and the strategy's limit. */
  leverage?: number;
  /** 0..1 */
  confidence?: number;
  rationale?: string;
}

/** What an exchange accepts for one symbol. `null`: no such limit. */
export interface InstrumentRules {
  symbol: string;
  quantityStep: DecimalString | null;
  minQuantity: DecimalString | null;
  maxQuantity: DecimalString | null;
  /** Quote currency. */
  minNotional: DecimalString | null;
}

/** What the strategy may hold. */
export interface RiskLimits {
  /** Most symbols held at once. */
  maxPositions: number;
  /** ≥ 1; spot is always 1. */
  maxLeverage: number;
  /** Most base currency per symbol, absolute; `null`: no limit. */
  maxPositionQuantity: DecimalString | null;
}

/** One order as the engine means it; `instructionId` derives from the cycle, so a replay collides. */
export interface Order {
  instructionId: string;
  /** Position in the plan, from 0, in execution order. */
  index: number;
  symbol: string;
  action: Exclude<TradeAction, "noop">;
  side: Side;
  /** Base currency, > 0. */
  quantity: DecimalString;
  leverage: number;
  priceMode: "market" | "limit";
  limitPrice: DecimalString | null;
  /** It may only make a position smaller. Spot venues have no such flag and are not sent one. */
  reduceOnly: boolean;
  /** Sent to the exchange; derived from `instructionId` (I4). */
  clientOrderId: string;
  /** The decision's reason for this order. */
  note: string | null;
}

export interface Fee {
  amount: DecimalString;
  /** A base-currency fee on a spot buy reduces the position. */
  currency: "quote" | "base";
}

export interface Fill {
  symbol: string;
  side: Side;
  /** Base currency, > 0. */
  quantity: DecimalString;
  /** Quote currency per base. */
  price: DecimalString;
  fee: Fee;
  /** ms UTC */
  at: number;
  leverage: number;
}

export type InstructionStatus = "pending" | "filled" | "partial" | "rejected" | "error";

/** The channel's answer to one order. `rejected`/`error` have no fills and a reason. */
export interface ExecutionReport {
  instructionId: string;
  status: Exclude<InstructionStatus, "pending">;
  fills: Fill[];
  /** Why it was rejected, failed or only partly filled; `null` when filled whole. */
  reason: string | null;
  exchangeOrderId: string | null;
}
