import { valuePortfolio } from "#domain/ledger.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import type { LiveStrategy } from "./live-store.ts";
import type { Resident } from "./resident.ts";

/** A restored strategy as the live store shows it before its first commit in this process. */
export function restoredView(definitionId: string, resident: Resident): LiveStrategy {
  const { context, member, seq, strategyId, value } = resident;
  return {
    strategyId,
    definitionId,
    state: member.state === "stopped" ? "stopped" : value,
    stopReason: null,
    seq,
    lastCycleAt: context.lastTickFor,
    lastStatus: null,
    lastSignal: null,
    ...moneyOf(context),
  };
}

/** A strategy as it stands after `write` was committed. */
export function committedView(
  definitionId: string,
  write: MemberWrite,
  context: StrategyContext,
  before: LiveStrategy | undefined,
): LiveStrategy {
  const { cycle, state, stopReason, strategyId, seq } = write;
  return {
    strategyId,
    definitionId,
    state,
    stopReason,
    seq,
    lastCycleAt: cycle?.composeTime ?? before?.lastCycleAt ?? null,
    lastStatus: cycle?.status ?? before?.lastStatus ?? null,
    lastSignal: cycle?.decision?.signal ?? before?.lastSignal ?? null,
    ...(cycle === null ? moneyOf(context) : moneyOfView(cycle.view, cycle.cycleIndex)),
  };
}

type Money = Pick<
  LiveStrategy,
  "cycleIndex" | "totalValue" | "cash" | "realizedPnl" | "unrealizedPnl"
>;

/** Valued at the last known marks: no price is fetched to show what is stored. */
function moneyOf({ ledger, cycleIndex }: StrategyContext): Money {
  const { view } = valuePortfolio(ledger, { at: 0, quotes: {} }, { maxLeverage: 1 });
  return moneyOfView(view, cycleIndex);
}

function moneyOfView(
  view: { totalValue: string; cash: string; realizedPnl: string; unrealizedPnl: string },
  cycleIndex: number,
): Money {
  const { totalValue, cash, realizedPnl, unrealizedPnl } = view;
  return { cycleIndex, totalValue, cash, realizedPnl, unrealizedPnl };
}
