import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { expect, vi } from "vitest";

const LONG = { timeout: 60_000, interval: 10 };

/** Statements of others that wait for a lock. */
export const WAITING = `
  select query from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`;

/** Transactions that wait for their client's next word. */
export const OPEN_TRANSACTIONS = `
  select pid, xact_start::text as since from pg_stat_activity
  where datname = current_database() and state = 'idle in transaction'`;

/** How long the engine's sessions may wait before the server looks for a deadlock, which it does once. */
export const DEADLOCK_TIMEOUT = "deadlock_timeout = '2s'";

const LOCK_STRATEGY = "select id from strategies order by id limit 1 for update";
const LOCK_SHARDS = "select id from shards for update";

// Not from pg_stat_activity: within a transaction that knows only the sessions there were at first.
const WAITING_FOR_ME = `
  select pid from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`;

/**
 * A session beside the engine's. What it is to hold it takes before the engine starts, so that no
 * tick is over before it comes.
 */
export class SecondSession implements AsyncDisposable {
  #client: pg.Client | null = null;

  async hold(databaseUrl: string, what: "a strategy" | "the shards"): Promise<void> {
    this.#client = new pg.Client({ connectionString: databaseUrl });
    // When the test fails, its database goes before this session does.
    this.#client.on("error", () => undefined);
    await this.#client.connect();
    await this.#query("set deadlock_timeout = '60s'");
    await this.#query("begin");
    await this.#query(what === "a strategy" ? LOCK_STRATEGY : LOCK_SHARDS);
  }

  /**
   * With a strategy in hand: waits until the engine wants it, then wants what the engine holds. The
   * server ends one of the two, and this one is the more patient.
   */
  async deadlock(): Promise<void> {
    await this.#untilWanted();
    await this.#query(LOCK_SHARDS);
    await this.#letGo();
  }

  /** Keeps what it holds for so long after the engine has come to want it. */
  async letGoAfter(ms: number): Promise<void> {
    await this.#untilWanted();
    await sleep(ms);
    await this.#letGo();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#letGo();
  }

  /** Ends it, which rolls back what it has open. */
  async #letGo(): Promise<void> {
    await this.#client?.end();
    this.#client = null;
  }

  async #untilWanted(): Promise<void> {
    await vi.waitFor(async () => expect(await this.#query(WAITING_FOR_ME)).not.toEqual([]), LONG);
  }

  async #query(statement: string): Promise<unknown[]> {
    if (this.#client === null) throw new Error("it holds nothing yet");
    return (await this.#client.query(statement)).rows;
  }
}
