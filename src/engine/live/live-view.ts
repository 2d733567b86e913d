import type { Cycle, CycleStatus } from "#domain/cycle.ts";
import type { DecisionSignal } from "#domain/decision.ts";
import type { DecimalString } from "#domain/decimal.ts";
import { SkipReason } from "#domain/plan-step.ts";
import type { StopReason, StrategyState } from "#domain/strategy.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { LiveStrategy } from "./live-store.ts";

/** What a commit changed about what is shown of a strategy: plain data, cheap to hand to another thread. */
export interface CommittedChange {
  strategyId: string;
  state: StrategyState;
  stopReason: StopReason | null;
  seq: number;
  cycle: CycleFigures | null;
  /** What became of a decision to buy; null: there was none, or it failed for another reason. */
  purchase: "ordered" | "too_small" | null;
}

interface CycleFigures {
  cycleIndex: number;
  lastCycleAt: number;
  lastStatus: CycleStatus;
  lastSignal: DecisionSignal | null;
  cash: DecimalString;
  realizedPnl: DecimalString;
  totalValue: DecimalString;
  unrealizedPnl: DecimalString;
}

export function changeOf({
  cycle,
  seq,
  state,
  stopReason,
  strategyId,
}: MemberWrite): CommittedChange {
  return {
    strategyId,
    state,
    stopReason,
    seq,
    cycle: cycle === null ? null : figuresOf(cycle),
    purchase: cycle === null ? null : purchaseOf(cycle),
  };
}

const TOO_SMALL = [SkipReason.minNotional, SkipReason.minQuantity, SkipReason.quantityStep];

/** The reasons of orders that were not made are kept in the cycle's rationale only. */
function purchaseOf({ decision, instructions, rationale }: Cycle): CommittedChange["purchase"] {
  const signal = decision?.signal;
  if (signal !== "BUY" && signal !== "LONG" && signal !== "SHORT") return null;
  if (instructions.length > 0) return "ordered";
  return TOO_SMALL.some((reason) => rationale.includes(reason)) ? "too_small" : null;
}

function figuresOf(cycle: Cycle): CycleFigures {
  const { cash, realizedPnl, totalValue, unrealizedPnl } = cycle.view;
  return {
    cycleIndex: cycle.cycleIndex,
    lastCycleAt: cycle.composeTime,
    lastStatus: cycle.status,
    lastSignal: cycle.decision?.signal ?? null,
    cash,
    realizedPnl,
    totalValue,
    unrealizedPnl,
  };
}

/** A strategy as it stands after `change`, given what is shown of it. */
export function changed(before: LiveStrategy, change: CommittedChange): LiveStrategy {
  const { cycle, seq, state, stopReason } = change;
  return { ...before, state, stopReason, seq, ...cycle, inProgress: null };
}
