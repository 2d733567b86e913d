import { type Kysely, sql } from "kysely";
import { fromDriver } from "./errors.ts";
import type { Database } from "./database.ts";

// Any fixed number: two processes that start together migrate one after the other.
const MIGRATION_LOCK = 7_420_001;

/** Runs what is pending, all or nothing; returns the names of what ran. */
export async function migrate(database: Database): Promise<string[]> {
  const up = async (transaction?: Kysely<unknown>) => {
    const done = await database.orm.migrator.up({ transaction });
    return done.map((migration) => migration.name);
  };
  try {
    // PGlite has one process and one connection, which a transaction around the migrator would hold
    // while the migrator waits for it.
    if (database.kind === "pglite") return await up();
    return await database.patiently(() => oneAfterTheOther(database, up));
  } catch (error) {
    throw fromDriver(error);
  }
}

/** On a connection that is given back also when it was lost and cannot be rolled back. */
async function oneAfterTheOther<T>(
  database: Database,
  work: (transaction: Kysely<unknown>) => Promise<T>,
): Promise<T> {
  const kysely: Kysely<unknown> = database.orm.driver.getConnection().getClient();
  return kysely.connection().execute(async (connection) => {
    const transaction = await connection.startTransaction().execute();
    try {
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction);
      const result = await work(transaction);
      await transaction.commit().execute();
      return result;
    } catch (error) {
      await transaction.rollback().execute();
      throw error;
    }
  });
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
