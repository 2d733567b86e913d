import { decimal, toDecimalString } from "#domain/decimal.ts";
import { equityOf } from "#domain/ledger.ts";
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

function moneyOf({ ledger, cycleIndex }: StrategyContext): Money {
  const equity = equityOf(ledger);
  const unrealized = equity
    .minus(ledger.initialBalance)
    .minus(ledger.externalTransfers)
    .minus(decimal(ledger.realizedPnl));
  return {
    cycleIndex,
    totalValue: toDecimalString(equity),
    cash: ledger.cash,
    realizedPnl: ledger.realizedPnl,
    unrealizedPnl: toDecimalString(unrealized),
  };
}

function moneyOfView(
  view: { totalValue: string; cash: string; realizedPnl: string; unrealizedPnl: string },
  cycleIndex: number,
): Money {
  const { totalValue, cash, realizedPnl, unrealizedPnl } = view;
  return { cycleIndex, totalValue, cash, realizedPnl, unrealizedPnl };
}
