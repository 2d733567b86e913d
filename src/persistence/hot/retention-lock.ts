import { setTimeout as pause } from "node:timers/promises";
import { DomainError } from "#domain/errors.ts";
import type { Database } from "#persistence/database.ts";
import { flag } from "#persistence/rows.ts";
import { sqlOf } from "#persistence/sql.ts";

// Any fixed number, beside the one of migrations.
const RETENTION_LOCK = 7_420_003;
// Other installations in the same database have other schemas.
const key = `${RETENTION_LOCK}, hashtext($1)`;
/** Well before a silent connection is taken for dead. */
const SIGN_OF_LIFE_MS = 1_000;

/** Databases this process prunes; PGlite has one process and one connection, so this is all it needs. */
const heldHere = new WeakSet<Database>();

export interface RetentionLock {
  /** Aborted when the lock is gone before its time: another prune may begin. */
  lost: AbortSignal;
  /** @throws DomainError PORT_UNAVAILABLE when it was lost */
  release(): Promise<void>;
}

/**
 * One prune of a database at a time, whichever node runs it. Held by a connection of its own outside
 * any transaction: it ends with the process that dies, and holds nothing back from vacuum.
 * @throws DomainError PRUNE_RUNNING
 */
export async function takeRetentionLock(database: Database): Promise<RetentionLock> {
  if (heldHere.has(database)) throw taken();
  heldHere.add(database);
  try {
    const server = database.kind === "postgres" ? await lockOnServer(database) : null;
    return {
      lost: server?.lost ?? new AbortController().signal,
      async release() {
        heldHere.delete(database);
        await server?.release();
      },
    };
  } catch (error) {
    heldHere.delete(database);
    throw error;
  }
}

async function lockOnServer({ orm, schema }: Database): Promise<RetentionLock> {
  const locked = Promise.withResolvers<void>();
  const released = new AbortController();
  const lost = new AbortController();
  const kysely = orm.driver.getConnection().getClient();
  const session = kysely.connection().execute(async (connection) => {
    const sql = sqlOf(() => connection);
    const [row = {}] = await sql.rows(`select pg_try_advisory_lock(${key}) as taken`, [schema]);
    if (!flag(row, "taken")) throw taken();
    locked.resolve();
    while (!released.signal.aborted) {
      await pause(SIGN_OF_LIFE_MS, undefined, { signal: released.signal }).catch(() => undefined);
      await sql.rows("select 1");
    }
    await sql.rows(`select pg_advisory_unlock(${key})`, [schema]);
  });
  session.catch(() => {
    lost.abort();
  });
  await Promise.race([locked.promise, session]);
  return {
    lost: lost.signal,
    async release() {
      released.abort();
      await session;
    },
  };
}

function taken(): DomainError {
  const message = "a prune of this database is already running; wait for its end, or stop it";
  return new DomainError("PRUNE_RUNNING", message);
}
