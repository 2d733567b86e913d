import type { DecimalString } from "./decimal.ts";

/** Why a position is being closed. `signal`: the decision; `stop`: the strategy is to stop. */
export const ExitCause = {
  liquidation: "liquidation",
  stopLoss: "stop_loss",
  takeProfit: "take_profit",
  signal: "signal",
  stop: "stop",
} as const;
export type ExitCause = (typeof ExitCause)[keyof typeof ExitCause];

/**
 * An exit that has begun and could not be filled whole, for lack of volume or of a price. It is a
 * market order: it goes on at the next chance, before anything new is decided. Part of the durable
 * state, so plain JSON.
 */
export interface OpenExit {
  symbol: string;
  cause: ExitCause;
  /** Still to be closed, base currency, > 0. */
  remaining: DecimalString;
  /** Since when, ms UTC: no price from before it is a chance. */
  since: number;
}

/** What earlier cycles left besides money and positions; what is empty is absent. */
export interface FillState {
  exits?: OpenExit[];
  taken?: TakenVolume[];
  /**
   * Up to when the market has been dealt with, ms UTC, where that is past the newest tick: a cycle
   * between two ticks has settled funding and read bars as well.
   */
  seenUntil?: number;
}

/** What a strategy has taken out of the newest bar of a symbol; part of the durable state. */
export interface TakenVolume {
  symbol: string;
  /** Which bar, ms UTC. */
  barCloseAt: number;
  /** Base currency, > 0. */
  quantity: DecimalString;
}
