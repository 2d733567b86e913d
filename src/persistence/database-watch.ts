import { errorMessage } from "#domain/errors.ts";
import type { Logger } from "#ports/logger.ts";
import type { Timer } from "#ports/clock.ts";
import type { DatabaseWatch, Outage } from "#ports/database-watch.ts";
import type { NewAlert } from "#ports/store.ts";
import { raiseAlerts } from "./repositories/alerts.repository.ts";
import type { Database } from "./database.ts";
import { fromDriver, troubleIn, type Trouble } from "./errors.ts";
import { flag } from "./rows.ts";

const RETRY_MS = 500;

export const statements = {
  takesWrites: "select current_setting('transaction_read_only') = 'off' as writes",
};

interface WatchDependencies {
  database: Database;
  logger: Logger;
  timer: Timer;
}

/** What the log says at the begin of an outage. */
const BEGIN: Readonly<Record<Trouble["kind"], string>> = {
  database_unreachable: "the database cannot be reached; work goes on when it can",
  database_not_writable: "the database takes no writes; work goes on when it does",
};

/**
 * Tells of an outage once, at its begin and at its end, however many failures there were. The alert of
 * an outage is also the probe that finds its end: when it is stored, the database can be written to.
 */
export class OutageWatch implements DatabaseWatch, Disposable {
  readonly #dependencies: WatchDependencies;
  readonly #closing = new AbortController();
  #outage: Outage | null = null;
  #recoveries = 0;

  constructor(dependencies: WatchDependencies) {
    this.#dependencies = dependencies;
  }

  get outage(): Outage | null {
    return this.#outage;
  }

  get recoveries(): number {
    return this.#recoveries;
  }

  blamesDriver(error: unknown): boolean {
    return this.blames(fromDriver(error));
  }

  blames(error: unknown): boolean {
    const trouble = troubleIn(error);
    if (trouble === null) return false;
    if (this.#outage === null) this.#begin(trouble);
    else this.#outage.reason = trouble.reason;
    return true;
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
  }

  #begin(trouble: Trouble): void {
    if (this.#closing.signal.aborted) return;
    const outage = { since: Date.now(), reason: trouble.reason };
    this.#outage = outage;
    void this.#goThrough(trouble, outage);
  }

  async #goThrough({ isReadOnly, kind }: Trouble, outage: Outage): Promise<void> {
    if (isReadOnly && (await this.#wasOnlyASession())) {
      this.#outage = null;
      return;
    }
    this.#dependencies.logger.error({ reason: outage.reason }, BEGIN[kind]);
    await this.#recover(kind, outage);
  }

  /** A session that began while the database was read-only stays so: a new one is asked. */
  async #wasOnlyASession(): Promise<boolean> {
    const { database } = this.#dependencies;
    try {
      database.renewSessions();
      const [row = {}] = await database.sql.rows(statements.takesWrites);
      return flag(row, "writes");
    } catch {
      return false;
    }
  }

  async #recover(kind: Trouble["kind"], outage: Outage): Promise<void> {
    const { database, logger, timer } = this.#dependencies;
    while (!this.#closing.signal.aborted) {
      await timer.after(RETRY_MS, this.#closing.signal);
      // Also, sessions of the time before must not begin the outage anew once it is over.
      if (kind === "database_not_writable") database.renewSessions();
      try {
        await raiseAlerts(database.sql, [alertOf(kind, outage, Date.now())]);
        break;
      } catch (error) {
        outage.reason = troubleIn(error)?.reason ?? errorMessage(error);
      }
    }
    if (this.#closing.signal.aborted) return;
    this.#outage = null;
    this.#recoveries += 1;
    const seconds = secondsOf(outage, Date.now());
    logger.warn({ reason: outage.reason, seconds }, "the database does its work again");
  }
}

function alertOf(kind: Trouble["kind"], outage: Outage, until: number): NewAlert {
  const { reason, since } = outage;
  const what = kind === "database_unreachable" ? "could not be reached" : "took no writes";
  return {
    kind,
    severity: "error",
    subject: "database",
    strategyId: null,
    message: `the database ${what} for ${secondsOf(outage, until)} s: ${reason}`,
    detail: {
      from: new Date(since).toISOString(),
      until: new Date(until).toISOString(),
      reason,
    },
  };
}

function secondsOf({ since }: Outage, until: number): string {
  return ((until - since) / 1000).toFixed(1);
}
