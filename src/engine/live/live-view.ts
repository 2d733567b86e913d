import type { CycleStatus } from "#domain/cycle.ts";
import type { DecisionSignal } from "#domain/decision.ts";
import type { DecimalString } from "#domain/decimal.ts";
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
  return { strategyId, state, stopReason, seq, cycle: cycle === null ? null : figuresOf(cycle) };
}

function figuresOf(cycle: NonNullable<MemberWrite["cycle"]>): CycleFigures {
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
