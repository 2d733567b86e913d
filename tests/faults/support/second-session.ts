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

const WAITING_FOR_ME = `
  select pid from pg_stat_activity
  where datname = current_database() and pg_backend_pid() = any(pg_blocking_pids(pid))`;

/**
 * Takes one strategy's row, waits until the engine wants it, then wants what the engine holds: the
 * server ends one of the two, and this one is the more patient.
 */
export async function deadlock(databaseUrl: string): Promise<void> {
  await inSession(databaseUrl, async (session) => {
    await session.query("set deadlock_timeout = '60s'");
    await session.query("begin");
    await session.query("select id from strategies order by id limit 1 for update");
    await vi.waitFor(async () => {
      expect((await session.query(WAITING_FOR_ME)).rows).not.toEqual([]);
    }, LONG);
    await session.query("select id from shards for update");
    await session.query("rollback");
  });
}

/** Keeps every shard's row to itself for a while. */
export async function holdShards(databaseUrl: string, ms: number): Promise<void> {
  await inSession(databaseUrl, async (session) => {
    await session.query("begin");
    await session.query("select id from shards for update");
    await sleep(ms);
    await session.query("rollback");
  });
}

async function inSession(url: string, work: (session: pg.Client) => Promise<void>): Promise<void> {
  const session = new pg.Client({ connectionString: url });
  await session.connect();
  try {
    await work(session);
  } finally {
    await session.end();
  }
}
