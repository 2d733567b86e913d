// Thins old history beside a running engine: small statements with pauses between them, one prune of a
// database at a time, and it may end at any point.
import { DomainError, errorMessage } from "#domain/errors.ts";
import {
  cutoffsOf,
  parseRetention,
  type Cutoffs,
  type RetentionRequest,
} from "#domain/retention.ts";
import { audit } from "#persistence/repositories/audit.repository.ts";
import type { Database } from "#persistence/database.ts";
import { takeRetentionLock, type RetentionLock } from "#persistence/hot/retention-lock.ts";
import * as store from "#persistence/hot/retention.store.ts";
import type { Timer } from "#ports/clock.ts";

export interface PruneRequest extends RetentionRequest {
  /** Only count what would be removed. */
  dryRun?: boolean | undefined;
  /** For the audit. */
  actor: string;
}

export type PrunePhase = "cycles" | "ticks" | "vacuum" | "done" | "stopped" | "failed";

/** How far a prune is, and at its end what it did. */
export interface PruneReport {
  phase: PrunePhase;
  dryRun: boolean;
  /** By template, ms UTC: what is thinned, and how much. */
  cutoffs: Readonly<Record<string, Cutoffs>>;
  strategies: { total: number; done: number };
  /** Cycles and ticks looked at. */
  looked: number;
  /** Rows removed, or for a dry run rows that would be. */
  removed: {
    cycles: number;
    views: number;
    holdings: number;
    /** Null in a dry run: the cycles it would remove still need them. */
    ticks: number | null;
    agentRuns: number | null;
  };
  /** Real time so far, ms. */
  elapsedMs: number;
  /** Bytes with indexes; `after` once it ended. */
  sizes: { before: store.TableSizes; after: store.TableSizes | null };
  /** Why it failed. */
  error: { code: string; message: string } | null;
}

export type RetentionService = ReturnType<typeof createRetentionService>;

/** Cycles one statement looks at: its locks last some hundredths of a second. */
const CYCLES_PER_BATCH = 500;
const STRATEGIES_PER_PAGE = 500;
/** Looks into the index per statement that removes ticks: one per tick and strategy. */
const PROBES_PER_BATCH = 10_000;
const MAX_TICKS_PER_BATCH = 200;

interface RetentionDependencies {
  database: Database;
  timer: Timer;
}

/** A prune at work. */
interface Prune extends RetentionDependencies {
  report: PruneReport;
  definitions: readonly store.AgingDefinition[];
  signal: AbortSignal;
}

export function createRetentionService({ database, timer }: RetentionDependencies) {
  let report: PruneReport | null = null;
  let running: { stop: AbortController; ended: Promise<void> } | null = null;
  let startedAt = 0;

  const standing = (): PruneReport | null => {
    if (report !== null && running !== null) report.elapsedMs = timer.elapsed() - startedAt;
    return report === null ? null : structuredClone(report);
  };

  const toItsEnd = async (prune: Prune, lock: RetentionLock): Promise<void> => {
    await carryOut(prune, lock);
    prune.report.elapsedMs = timer.elapsed() - startedAt;
    running = null;
  };

  return {
    /**
     * Begins a prune and answers once it is under way; it goes on when whoever asked is gone.
     * @throws InvalidInputError INVALID_INPUT naming the field; DomainError PRUNE_RUNNING
     */
    async start(request: PruneRequest): Promise<PruneReport> {
      const retention = parseRetention(request);
      const lock = await takeRetentionLock(database);
      try {
        const definitions = await store.agingDefinitions(database);
        const cutoffs = definitions.map(({ definitionId, newestTick }) => [
          definitionId,
          cutoffsOf(retention, newestTick),
        ]);
        startedAt = timer.elapsed();
        report = {
          phase: "cycles",
          dryRun: request.dryRun ?? false,
          cutoffs: Object.fromEntries(cutoffs),
          strategies: { total: await store.countStrategiesEver(database), done: 0 },
          looked: 0,
          removed: { cycles: 0, views: 0, holdings: 0, ticks: null, agentRuns: null },
          elapsedMs: 0,
          sizes: { before: await store.tableSizes(database), after: null },
          error: null,
        };
        await record(database, { ...request, report, action: "start" });
        const stop = new AbortController();
        const signal = AbortSignal.any([stop.signal, lock.lost]);
        const prune = { database, timer, report, definitions, signal };
        running = { stop, ended: toItsEnd(prune, lock) };
        return structuredClone(report);
      } catch (error) {
        await lock.release();
        throw error;
      }
    },

    /** Of the prune under way on this node, or of the last one; null when there was none. */
    status: standing,

    /** Ends it after the statement under way; what is removed stays removed. */
    async stop(): Promise<PruneReport | null> {
      running?.stop.abort();
      await running?.ended;
      return standing();
    },
  };
}

/** Never throws: how it ended is in the report, once another prune may begin. */
async function carryOut(prune: Prune, lock: RetentionLock): Promise<void> {
  const { report, signal } = prune;
  try {
    try {
      await pruneAll(prune);
    } finally {
      await lock.release();
    }
    report.phase = signal.aborted ? "stopped" : "done";
  } catch (error) {
    const code = error instanceof DomainError ? error.code : "INTERNAL";
    report.error = { code, message: errorMessage(error) };
    report.phase = "failed";
  }
}

async function pruneAll(prune: Prune): Promise<void> {
  const { database, report } = prune;
  await pruneCycles(prune);
  if (!report.dryRun) {
    await pruneTicks(prune);
    await reclaim(prune);
  }
  report.sizes.after = await store.tableSizes(database);
  await record(database, { report, action: "end", actor: "prune" });
}

async function pruneCycles(prune: Prune): Promise<void> {
  const { database, report, signal } = prune;
  let last: string | null = null;
  for (;;) {
    const page: store.AgingStrategy[] = await store.agingStrategies(
      database,
      last,
      STRATEGIES_PER_PAGE,
    );
    for (const strategy of page) {
      if (signal.aborted) return;
      await pruneStrategy(prune, strategy);
      report.strategies.done += 1;
    }
    last = page.at(-1)?.strategyId ?? null;
    if (last === null) return;
  }
}

async function pruneStrategy(
  { database, report, signal, timer }: Prune,
  { strategyId, definitionId }: store.AgingStrategy,
): Promise<void> {
  const cutoffs = report.cutoffs[definitionId];
  if (cutoffs === undefined) return;
  const { dryRun, removed } = report;
  let after = 0;
  let isDone = false;
  while (!isDone && !signal.aborted) {
    const limit = CYCLES_PER_BATCH;
    const begunAt = timer.elapsed();
    const batch = await store.thinCycles(database, { strategyId, after, cutoffs, limit, dryRun });
    ({ after, isDone } = batch);
    report.looked += batch.looked;
    removed.cycles += batch.cycles;
    removed.views += batch.views;
    removed.holdings += batch.holdings;
    await giveWay(timer, begunAt, signal);
  }
}

async function pruneTicks(prune: Prune): Promise<void> {
  const { database, definitions, report, signal, timer } = prune;
  report.phase = "ticks";
  const { removed } = report;
  let [ticks, agentRuns] = [0, 0];
  Object.assign(removed, { ticks, agentRuns });
  for (const { definitionId, strategies } of definitions) {
    const before = report.cutoffs[definitionId]?.hourlyBefore ?? 0;
    const fitting = Math.floor(PROBES_PER_BATCH / Math.max(1, strategies));
    const limit = Math.min(Math.max(1, fitting), MAX_TICKS_PER_BATCH);
    let after = 0;
    let looked = limit;
    while (looked === limit && !signal.aborted) {
      const begunAt = timer.elapsed();
      const batch = await store.removeUnusedTicks(database, { definitionId, after, before, limit });
      ({ after, looked } = batch);
      report.looked += looked;
      ticks += batch.ticks;
      agentRuns += batch.agentRuns;
      Object.assign(removed, { ticks, agentRuns });
      await giveWay(timer, begunAt, signal);
    }
  }
}

async function reclaim({ database, report, signal }: Prune): Promise<void> {
  report.phase = "vacuum";
  for (const table of store.HISTORY_TABLES) {
    if (signal.aborted) return;
    await store.reclaim(database, table);
  }
}

/** Rests as long as it worked: at most half of one connection, less when the database is busy. */
async function giveWay(timer: Timer, begunAt: number, signal: AbortSignal): Promise<void> {
  await timer.after(timer.elapsed() - begunAt, signal);
}

async function record(
  database: Database,
  entry: {
    actor: string;
    action: "start" | "end";
    report: PruneReport;
  } & Partial<RetentionRequest>,
): Promise<void> {
  const { action, actor, keep, keepHourly, report } = entry;
  if (report.dryRun) return;
  const wanted = action === "start" ? { keep: keep ?? "", keepHourly: keepHourly ?? null } : {};
  await database.transactional(async (transaction) => {
    audit(transaction, {
      actor,
      action: `prune.${action}`,
      subjectType: "history",
      subjectId: "all",
      detail: action === "start" ? wanted : { removed: report.removed },
    });
  });
}
