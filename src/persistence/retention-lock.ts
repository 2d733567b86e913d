import { DomainError } from "#domain/errors.ts";
import type { Database } from "./database.ts";
import { flag } from "./rows.ts";
import { sqlOf } from "./sql.ts";

// Any fixed number, beside the one of migrations.
const RETENTION_LOCK = 7_420_003;

/** Databases this process prunes; PGlite has one process and one connection, so this is all it needs. */
const heldHere = new WeakSet<Database>();

export interface RetentionLock {
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

async function lockOnServer({ orm }: Database): Promise<RetentionLock> {
  const locked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const kysely = orm.driver.getConnection().getClient();
  const session = kysely.connection().execute(async (connection) => {
    const sql = sqlOf(() => connection);
    const [row = {}] = await sql.rows(`select pg_try_advisory_lock(${RETENTION_LOCK}) as taken`);
    if (!flag(row, "taken")) throw taken();
    locked.resolve();
    await released.promise;
    // A connection that is gone has let go of it already.
    await sql.rows(`select pg_advisory_unlock(${RETENTION_LOCK})`);
  });
  await Promise.race([locked.promise, session]);
  return {
    async release() {
      released.resolve();
      await session;
    },
  };
}

function taken(): DomainError {
  const message = "a prune of this database is already running; wait for its end, or stop it";
  return new DomainError("PRUNE_RUNNING", message);
}
