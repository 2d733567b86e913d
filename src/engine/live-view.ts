import type { MemberWrite } from "#ports/store.ts";
import type { LiveStrategy } from "./live-store.ts";

/** A strategy as it stands after `write` was committed to what is shown of it. */
export function committedView(before: LiveStrategy, write: MemberWrite): LiveStrategy {
  const { cycle, seq, state, stopReason } = write;
  const after = { ...before, state, stopReason, seq };
  if (cycle === null) return after;
  const { cash, realizedPnl, totalValue, unrealizedPnl } = cycle.view;
  return {
    ...after,
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
