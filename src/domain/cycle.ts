import type { DecimalString } from "./decimal.ts";
import type { Decision, Protection } from "./decision.ts";
import type { FillState } from "./exit.ts";
import type { JsonObject } from "./json.ts";
import type { VenueFill } from "./order-report.ts";
import type { Ledger, PortfolioView, Position, TradeLeg } from "./portfolio.ts";
import type { InstructionStatus, Order } from "./trading.ts";

/** `order`: the venue told of orders that an earlier cycle had sent. */
export type CycleCause = "tick" | "stop" | "protection" | "manual" | "order";

/** `skipped`: the tick met orders that were still out, so nothing was decided. */
export type CycleStatus = "completed" | "failed" | "skipped";

/** One order with what became of it. */
export interface Instruction extends Order {
  status: InstructionStatus;
  reason: string | null;
  exchangeOrderId: string | null;
  filledQuantity: DecimalString;
  averagePrice: DecimalString | null;
  /** Quote currency. */
  fee: DecimalString;
}

/** An instruction whose order is out: committed as intent, and not known to be over (I3). */
export interface PendingOrder extends Instruction {
  /** What is booked of it, in that order: a report that comes twice books once. */
  fills: VenueFill[];
}

/** Everything one strategy did in one cycle: the journal stores it whole or not at all (I1). */
export interface Cycle {
  composeId: string;
  strategyId: string;
  /** Null when no tick caused it (a stop that closes positions). */
  tickId: string | null;
  cause: CycleCause;
  /** 1, 2, 3, … without gaps per strategy. */
  cycleIndex: number;
  /** ms UTC on the engine's clock. */
  composeTime: number;
  status: CycleStatus;
  rationale: string;
  decision: Omit<Decision, "rationale" | "state"> | null;
  /** The decision state this cycle started from. */
  stateBefore: JsonObject | null;
  /** The exits under way and the volume taken that it started from; absent where there was neither. */
  fillsBefore?: FillState;
  paramsVersion: number;
  definitionVersion: number;
  /** Why the cycle failed; null when completed. */
  error: { code: string; message: string } | null;
  durationMs: number;
  instructions: Instruction[];
  /** Instructions of earlier cycles with what has become of them since. */
  answered: Instruction[];
  legs: TradeLeg[];
  view: PortfolioView;
  /** The money after this cycle. */
  ledger: Ledger;
}

/** What earlier cycles left for a later one, besides its decision state (I15). */
export interface ContextBefore {
  /** Null before the first cycle. */
  portfolio: {
    /** ms UTC */
    at: number;
    cash: DecimalString;
    realizedPnl: DecimalString;
    positions: Omit<Position, "entryFees" | "markAt">[];
  } | null;
  /** In force when the cycle began. */
  protections: Protection[];
  /** `scheduledFor` of the strategy's previous recorded tick, ms UTC. */
  lastTickFor: number | null;
}
