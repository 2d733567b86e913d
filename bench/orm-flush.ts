// The way an ORM is usually used: one entity manager, one flush, one transaction per cycle.
import type { EntityManager } from "@mikro-orm/core";
import type { Cycle } from "#domain/cycle.ts";
import { ActorSnapshot } from "#entities/actor-snapshot.entity.ts";
import { Strategy } from "#entities/strategy.entity.ts";
import { StrategyComposeCycle } from "#entities/strategy-compose-cycle.entity.ts";
import { StrategyDetail } from "#entities/strategy-detail.entity.ts";
import { StrategyHolding } from "#entities/strategy-holding.entity.ts";
import { StrategyInstruction } from "#entities/strategy-instruction.entity.ts";
import { StrategyPortfolioView } from "#entities/strategy-portfolio-view.entity.ts";
import type { Database } from "#persistence/database.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { Forge } from "./forge.ts";
import type { RawRun } from "./raw-writes.ts";
import type { RecordedCommit } from "./recorder.ts";

/** Stores the recorded cycles once more, `concurrent` flushes at a time. */
export async function flushCycles(
  database: Database,
  commits: readonly RecordedCommit[],
  { forge, concurrent }: { forge: Forge; concurrent: number },
): Promise<RawRun> {
  const writes = commits.flatMap((commit) => forge.commit(commit).writes);
  const waiting = writes.values();
  const work = async (): Promise<void> => {
    for (const write of waiting) await flush(database, write);
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: concurrent }, work));
  return { cycles: writes.length, ms: performance.now() - startedAt };
}

async function flush(database: Database, write: MemberWrite): Promise<void> {
  const { cycle } = write;
  if (cycle === null) return;
  const em = database.em();
  const strategy = em.getReference(Strategy, write.strategyId);
  const recorded = em.create(StrategyComposeCycle, {
    strategy,
    cycleIndex: cycle.cycleIndex,
    composeId: cycle.composeId,
    tickId: cycle.tickId,
    cause: cycle.cause,
    composeTime: new Date(cycle.composeTime),
    status: cycle.status,
    rationale: cycle.rationale,
    decision: cycle.decision,
    stateBefore: cycle.stateBefore,
    paramsVersion: cycle.paramsVersion,
    definitionVersion: cycle.definitionVersion,
    error: cycle.error,
    durationMs: cycle.durationMs,
  });
  addOrders(em, recorded, cycle);
  addView(em, recorded, cycle);
  updateStrategy(strategy, cycle);
  updateSnapshot(em.getReference(ActorSnapshot, write.strategyId), write);
  await em.flush();
}

function addOrders(em: EntityManager, recorded: StrategyComposeCycle, cycle: Cycle): void {
  const { composeId, strategyId } = cycle;
  for (const { index, ...instruction } of cycle.instructions) {
    em.create(StrategyInstruction, {
      ...instruction,
      strategyId,
      cycle: recorded,
      composeId,
      position: index,
    });
  }
  for (const [position, leg] of cycle.legs.entries()) {
    const { entryAt, exitAt, eventAt, ...rest } = leg;
    em.create(StrategyDetail, {
      ...rest,
      strategyId,
      cycle: recorded,
      composeId,
      position,
      entryTime: new Date(entryAt),
      exitTime: exitAt === null ? null : new Date(exitAt),
      eventTime: new Date(eventAt),
    });
  }
}

function addView(em: EntityManager, recorded: StrategyComposeCycle, cycle: Cycle): void {
  const { view } = cycle;
  const stored = em.create(StrategyPortfolioView, {
    cycle: recorded,
    snapshotTs: new Date(view.at),
    cash: view.cash,
    totalValue: view.totalValue,
    totalRealizedPnl: view.realizedPnl,
    totalUnrealizedPnl: view.unrealizedPnl,
    grossExposure: view.grossExposure,
    netExposure: view.netExposure,
    buyingPower: view.buyingPower,
  });
  for (const { entryAt, ...holding } of view.holdings) {
    em.create(StrategyHolding, { ...holding, view: stored, entryTime: new Date(entryAt) });
  }
}

function updateStrategy(
  strategy: Strategy,
  { cycleIndex, composeTime, ledger, view }: Cycle,
): void {
  strategy.cycleIndex = cycleIndex;
  strategy.lastExecutionTime = new Date(composeTime);
  strategy.currentBalance = ledger.cash;
  strategy.totalValue = view.totalValue;
  strategy.realizedPnl = ledger.realizedPnl;
  strategy.unrealizedPnl = view.unrealizedPnl;
  strategy.totalTrades = ledger.totalTrades;
  strategy.winningTrades = ledger.winningTrades;
  strategy.losingTrades = ledger.losingTrades;
  strategy.maxDrawdown = ledger.maxDrawdown;
  strategy.peakValue = ledger.peakEquity;
}

function updateSnapshot(snapshot: ActorSnapshot, { envelope, seq }: MemberWrite): void {
  snapshot.value = envelope.value;
  snapshot.hash = envelope.hash;
  snapshot.snapshot = envelope.snapshot;
  snapshot.seq = seq;
}
