// What an operator wants to find in the log a week later, told where it happens: alerts as they are
// stored, ticks that were missed or came late, strategies that stopped and that run again.
import type { Logger } from "#ports/logger.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { EngineStore, Journal, NewAlert, ScheduledDefinition } from "#ports/store.ts";
import type { LiveStore, LiveStrategy } from "./live/live-store.ts";

const MS_PER_MINUTE = 60_000;
/** An alert that is raised again and again is counted in the database, and logged once an hour. */
const REPEAT_MS = 60 * MS_PER_MINUTE;
const MOST_REMEMBERED = 1_000;
/** A tick that is proposed later than this after its time is late. */
const LATE_MS = 10_000;

interface LogParts {
  logger: Logger;
  timer: Timer;
}

export type AlertLog = (alerts: readonly NewAlert[]) => void;

/** Logs stored alerts, the same kind about the same subject once in a while. */
export function createAlertLog({ logger, timer }: LogParts): AlertLog {
  const told = new Map<string, number>();
  const isNews = ({ kind, subject }: NewAlert): boolean => {
    const key = `${kind}/${subject}`;
    const before = told.get(key);
    const now = timer.elapsed();
    if (before !== undefined && now - before < REPEAT_MS) return false;
    if (told.size >= MOST_REMEMBERED) told.clear();
    told.set(key, now);
    return true;
  };
  return (alerts) => {
    for (const alert of alerts.filter(isNews)) {
      const { kind, message, severity, subject } = alert;
      const write = severity === "warning" ? "warn" : "error";
      logger[write]({ alert: kind, severity, subject }, `alert: ${message}`);
    }
  };
}

/** The journal, with the alerts of its commits in the log once they are durable. */
export function loggedJournal(journal: Journal, tell: AlertLog): Journal {
  return {
    async commit(commit) {
      const result = await journal.commit(commit);
      tell(commit.alerts);
      return result;
    },
  };
}

/** The store, with alerts in the log, and ticks that were missed or came late. */
export function loggedStore(
  store: EngineStore,
  tell: AlertLog,
  { clock, logger }: { clock: Pick<Clock, "now" | "simulated">; logger: Logger },
): EngineStore {
  const ticks = new TickLog(clock, logger);
  return {
    ...store,
    async raiseAlert(alert) {
      await store.raiseAlert(alert);
      tell([alert]);
    },
    async scheduledDefinitions() {
      const scheduled = await store.scheduledDefinitions();
      ticks.read(scheduled);
      return scheduled;
    },
    async proposeTick(definitionId, scheduledFor, time) {
      const outcome = await store.proposeTick(definitionId, scheduledFor, time);
      if (outcome === "proposed") ticks.proposed(definitionId, scheduledFor);
      return outcome;
    },
  };
}

/** Knows of each definition that has strategies which tick came last. */
class TickLog {
  readonly #clock: Pick<Clock, "now" | "simulated">;
  readonly #logger: Logger;
  readonly #awaited = new Map<string, { name: string; periodMs: number; last: number }>();

  constructor(clock: Pick<Clock, "now" | "simulated">, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Time for which a definition had no strategies is not missed. */
  read(scheduled: readonly ScheduledDefinition[]): void {
    this.#awaited.clear();
    for (const { definition, lastScheduledFor, members } of scheduled) {
      if (members === 0 || lastScheduledFor === null) continue;
      const { id, name, periodMinutes } = definition;
      const periodMs = periodMinutes * MS_PER_MINUTE;
      this.#awaited.set(id, { name, periodMs, last: lastScheduledFor });
    }
  }

  proposed(definitionId: string, scheduledFor: number): void {
    const awaited = this.#awaited.get(definitionId);
    // A replay's time stands still while nobody is there: nothing is missed, and nothing late.
    if (awaited === undefined || this.#clock.simulated) return;
    const { last, name: definition, periodMs } = awaited;
    const missed = Math.floor((scheduledFor - last) / periodMs) - 1;
    if (missed > 0) {
      const detail = { definition, missed, since: last, scheduledFor };
      this.#logger.warn(detail, "ticks missed: only the newest is made up for");
    }
    const lateMs = this.#clock.now() - scheduledFor;
    if (lateMs > LATE_MS) this.#logger.warn({ definition, scheduledFor, lateMs }, "tick late");
  }
}

/** Logs each strategy that stops or runs again, from now on. */
export function logStops(live: LiveStore, logger: Logger): void {
  const stopped = new Set<string>();
  const isStopped = ({ state }: LiveStrategy): boolean => state === "stopped";
  for (const strategy of live.all().filter(isStopped)) stopped.add(strategy.strategyId);
  live.onChange((changes) => {
    for (const change of changes) {
      const { cycleIndex, stopReason, strategyId } = change;
      if (stopped.has(strategyId) === isStopped(change)) continue;
      if (isStopped(change)) {
        stopped.add(strategyId);
        const write = stopReason === "normal_exit" ? "info" : "warn";
        logger[write]({ strategyId, stopReason, cycleIndex }, "strategy stopped");
      } else {
        stopped.delete(strategyId);
        logger.info({ strategyId, cycleIndex }, "strategy runs again");
      }
    }
  });
}
