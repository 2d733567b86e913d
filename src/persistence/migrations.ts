import { setTimeout as pause } from "node:timers/promises";
import type { Kysely } from "kysely";
import type { Database } from "./database.ts";
import { fromDriver } from "./errors.ts";
import { flag, number, textOrNull } from "./rows.ts";
import { assertComplete, assertNotNewer } from "./schema-check.ts";
import { type Row, type Sql, sqlOf } from "./sql.ts";

// Any fixed number: two processes that start together migrate one after the other.
const MIGRATION_LOCK = 7_420_001;
const ASK_MS = 200;
const TELL_AFTER_MS = 1_000;
const TELL_AGAIN_MS = 60_000;

// A lock by one number has that number's halves as its class and object. Of other users' sessions the
// server shows no times.
export const statements = {
  lockHolder: `
  select a.pid, nullif(a.application_name, '') as application,
    to_char(coalesce(a.xact_start, a.state_change, a.backend_start) at time zone 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since
  from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = ${MIGRATION_LOCK}
    and l.objsubid = 1 and l.database = (select oid from pg_database where datname = current_database())`,
};

/** Who else is about to migrate, or did not finish; what the server does not say is null. */
export interface LockHolder {
  pid: number;
  application: string | null;
  since: string | null;
}

/** Told when another session has held the lock for a second, and once a minute from then on. */
export type OnWait = (holder: LockHolder) => void;

/**
 * Runs what is pending, all or nothing; returns the names of what ran. A database of a later version,
 * and one whose tables are not what the migrations make, is left as it is.
 * @throws DomainError SCHEMA_MISMATCH
 */
export async function migrate(database: Database, onWait?: OnWait): Promise<string[]> {
  const { kind, orm } = database;
  const up = async (transaction?: Kysely<unknown>) => {
    const sql = transaction === undefined ? database.sql : sqlOf(() => transaction);
    await assertNotNewer(database, sql);
    const done = await orm.migrator.up({ transaction });
    await assertComplete(database, sql);
    return done.map((migration) => migration.name);
  };
  try {
    // PGlite has one process and one connection, which a transaction around the migrator would hold
    // while the migrator waits for it.
    if (kind === "pglite") return await up();
    return await database.patiently(() => oneAfterTheOther(database, up, onWait));
  } catch (error) {
    throw fromDriver(error);
  }
}

/** On a connection that is given back also when it was lost and cannot be rolled back. */
async function oneAfterTheOther<T>(
  database: Database,
  work: (transaction: Kysely<unknown>) => Promise<T>,
  onWait?: OnWait,
): Promise<T> {
  const kysely: Kysely<unknown> = database.orm.driver.getConnection().getClient();
  return kysely.connection().execute(async (connection) => {
    const transaction = await connection.startTransaction().execute();
    try {
      await takeLock(
        sqlOf(() => transaction),
        onWait,
      );
      const result = await work(transaction);
      await transaction.commit().execute();
      return result;
    } catch (error) {
      // What went wrong first is told, not that the connection is lost since.
      await transaction
        .rollback()
        .execute()
        .catch(() => undefined);
      throw error;
    }
  });
}

/** Asks again and again instead of waiting inside the server, to be able to say for whom. */
async function takeLock(sql: Sql, onWait: OnWait = () => undefined): Promise<void> {
  let tellAt = performance.now() + TELL_AFTER_MS;
  for (;;) {
    const [row = {}] = await sql.rows(
      `select pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as taken`,
    );
    if (flag(row, "taken")) return;
    if (performance.now() >= tellAt) {
      const [holder] = await sql.rows(statements.lockHolder);
      if (holder !== undefined) onWait(holderOf(holder));
      tellAt = performance.now() + TELL_AGAIN_MS;
    }
    await pause(ASK_MS);
  }
}

function holderOf(row: Row): LockHolder {
  return {
    pid: number(row, "pid"),
    application: textOrNull(row, "application"),
    since: textOrNull(row, "since"),
  };
}

/** Names of the migrations this database still lacks. */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const pending = await database.orm.migrator.getPending();
  return pending.map((migration) => migration.name);
}

/**
 * The statements that would bring a fully migrated database to what the entities say; empty when
 * they agree. Other schemas of the database are not looked at.
 */
export async function schemaDrift(database: Database): Promise<string[]> {
  const statements = await database.orm.schema.getUpdateSchemaSQL({
    wrap: false,
    safe: false,
    schema: database.schema,
  });
  return statements
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.includes('"schema_migrations"'));
}
