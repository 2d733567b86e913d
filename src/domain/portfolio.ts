import type { DecimalString } from "./decimal.ts";
import type { MarketType, PositionType, Side } from "./trading.ts";

/**
 * One open position. `cost` is the truth from which the average price derives: the signed sum of
 * entry notionals still open, so that I10 holds to the last decimal.
 */
export interface Position {
  symbol: string;
  /** Base currency, positive long, negative short, never 0. */
  quantity: DecimalString;
  /** Quote currency, same sign as `quantity`. */
  cost: DecimalString;
  /** Entry fees of the part still open, quote currency; already booked in realized PnL. */
  entryFees: DecimalString;
  /** ≥ 1 */
  leverage: number;
  /** When it was opened (or last flipped), ms UTC. */
  entryAt: number;
  /**
   * What its parts closed so far have brought, after fees, quote currency: the round trip is won or
   * lost as a whole. Absent while nothing of it is closed.
   */
  closedPnl?: DecimalString;
  /** Last price it was valued at, quote currency. */
  markPrice: DecimalString;
  /** When that price was made, ms UTC. */
  markAt: number;
}

/** The money of one strategy. Plain JSON: it lives in the actor's snapshot. */
export interface Ledger {
  marketType: MarketType;
  initialBalance: DecimalString;
  /** Spot: free quote currency. Perpetual: wallet balance. */
  cash: DecimalString;
  /** Net of fees and funding, quote currency. */
  realizedPnl: DecimalString;
  /** All fees paid, quote currency. */
  feesPaid: DecimalString;
  /** Net funding received (+) or paid (−), quote currency. */
  fundingNet: DecimalString;
  /** Deposits minus withdrawals since the start, quote currency. */
  externalTransfers: DecimalString;
  positions: Record<string, Position>;
  /** Highest equity seen at any recorded cycle, moved in proportion by deposits and withdrawals. */
  peakEquity: DecimalString;
  /** Largest fall from the peak, fraction of the peak (0.25 is 25 %). */
  maxDrawdown: DecimalString;
  /** Fills booked. */
  totalTrades: number;
  /** Round trips (from flat to flat, or to the other side) with a positive result after fees. */
  winningTrades: number;
  /** Round trips with a negative result. */
  losingTrades: number;
}

/** One leg of a fill: a fill through zero has a closing leg 1 and an opening leg 2. */
export interface TradeLeg {
  tradeId: string;
  instructionId: string;
  legNumber: number;
  symbol: string;
  kind: "open" | "close";
  /** The position opened or closed. */
  type: PositionType;
  side: Side;
  quantity: DecimalString;
  leverage: number;
  /** Opening: the fill price. Closing: the position's average entry price. */
  entryPrice: DecimalString;
  exitPrice: DecimalString | null;
  notionalEntry: DecimalString;
  notionalExit: DecimalString | null;
  /** This leg's share of the fill's fee, quote currency. */
  feeCost: DecimalString;
  /** Closing: gross result − this fee − its share of the entry fees. Opening: null. */
  realizedPnl: DecimalString | null;
  /** Fraction of `notionalEntry`. */
  realizedPnlPct: DecimalString | null;
  /** ms UTC */
  entryAt: number;
  exitAt: number | null;
  holdingMs: number | null;
  /** ms UTC, the fill's time. */
  eventAt: number;
}

export interface Holding {
  symbol: string;
  type: PositionType;
  /** Base currency, signed. */
  quantity: DecimalString;
  leverage: number;
  entryPrice: DecimalString;
  cost: DecimalString;
  markPrice: DecimalString;
  /** `stale`: valued at the last known price because this tick had none that is fresh. */
  markQuality: "fresh" | "stale";
  /** |quantity| × mark, quote currency. */
  notional: DecimalString;
  unrealizedPnl: DecimalString;
  /** Fraction of |cost|. */
  unrealizedPnlPct: DecimalString;
  entryAt: number;
  /** Perpetual: where the position is liquidated; null on spot or when it cannot be. */
  liquidationPrice: DecimalString | null;
}

/** The ledger valued at one moment. */
export interface PortfolioView {
  /** ms UTC */
  at: number;
  cash: DecimalString;
  /** Equity: cash + holdings (spot) or wallet + unrealized (perpetual). */
  totalValue: DecimalString;
  realizedPnl: DecimalString;
  unrealizedPnl: DecimalString;
  /** Σ |notional| */
  grossExposure: DecimalString;
  /** Σ signed notional */
  netExposure: DecimalString;
  /** What may still be spent on new exposure, quote currency. */
  buyingPower: DecimalString;
  /** By symbol, ascending. */
  holdings: Holding[];
}
