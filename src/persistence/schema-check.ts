// Whether the tables are those of this version: nothing is written to a database of another one.
import { DomainError } from "#domain/errors.ts";
import { migrations } from "../../migrations/index.ts";
import type { Database, Orm } from "./database.ts";
import { fromDriver } from "./errors.ts";
import { flag, number, text } from "./rows.ts";
import type { Sql } from "./sql.ts";

export const statements = {
  isMigrated: "select to_regclass($1) is not null as is_there",
  executedMigrations: "select name from schema_migrations order by id",
  presentColumns: `
    select c.relname as table, a.attname as column
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'v', 'f')
      and a.attnum > 0 and not a.attisdropped`,
  timeouts: `
    select name, setting::float8 as ms from pg_settings
    where name in ('statement_timeout', 'transaction_timeout') and setting <> '0' order by name`,
};

/** @throws DomainError SCHEMA_MISMATCH when a later version has migrated it */
export async function assertNotNewer(database: Database, sql: Sql): Promise<void> {
  const newer = await laterMigrations(database, sql);
  if (newer.length > 0) throw incompatible(newerSchema(newer));
}

/**
 * Columns are left to the check of the statements, which says which one needs them.
 * @throws DomainError SCHEMA_MISMATCH when a table of the entities is missing
 */
export async function assertComplete(database: Database, sql: Sql): Promise<void> {
  const missing = (await missingParts(database, sql)).filter((part) => !part.includes("."));
  if (missing.length > 0) throw incompatible(missingTables(missing));
}

/** What keeps this version from working on the database, in words; null: nothing does. */
export async function schemaProblem(database: Database): Promise<string | null> {
  const { orm, sql } = database;
  const newer = await laterMigrations(database, sql);
  if (newer.length > 0) return newerSchema(newer);
  const pending = await pendingNames(orm);
  if (pending.length > 0) return `not yet run: ${pending.join(", ")}; start, or run: migrate`;
  const missing = await missingParts(database, sql);
  return missing.length > 0 ? missingTables(missing) : null;
}

/** A statement of a tick may take this long on a busy server. */
const LEAST_TIMEOUT_MS = 1_000;

/** Limits of the session under which the server would end the engine's own work; null: none. */
export async function shortTimeouts(sql: Sql): Promise<string | null> {
  const tooShort = (await sql.rows(statements.timeouts))
    .filter((row) => number(row, "ms") < LEAST_TIMEOUT_MS)
    .map((row) => `${text(row, "name")} is ${number(row, "ms")} ms`);
  if (tooShort.length === 0) return null;
  return `${tooShort.join(", ")}, which ends the engine's own statements; set ${LEAST_TIMEOUT_MS} ms or more for its user`;
}

async function pendingNames(orm: Orm): Promise<string[]> {
  try {
    return (await orm.migrator.getPending()).map(({ name }) => name);
  } catch (error) {
    throw fromDriver(error);
  }
}

async function laterMigrations({ orm, schema }: Database, sql: Sql): Promise<string[]> {
  const { config, driver } = orm;
  // With its schema: a search path may lead on to another installation's.
  const [row = {}] = await sql.rows(statements.isMigrated, [`${schema}.schema_migrations`]);
  if (!flag(row, "is_there")) return [];
  const known = new Set(migrations.map((Migration) => new Migration(driver, config).name));
  const executed = await sql.rows(statements.executedMigrations);
  return executed.map((found) => text(found, "name")).filter((name) => !known.has(name));
}

async function missingParts({ orm, schema }: Database, sql: Sql): Promise<string[]> {
  const present = new Map<string, Set<string>>();
  for (const row of await sql.rows(statements.presentColumns, [schema])) {
    const table = text(row, "table");
    present.set(table, (present.get(table) ?? new Set()).add(text(row, "column")));
  }
  const missing = [...orm.getMetadata().getAll().values()].flatMap(({ tableName, props }) => {
    const columns = present.get(tableName);
    if (columns === undefined) return [tableName];
    const wanted = props.filter(({ persist }) => persist !== false);
    return wanted
      .flatMap(({ fieldNames }) => fieldNames)
      .filter((column) => !columns.has(column))
      .map((column) => `${tableName}.${column}`);
  });
  return missing.toSorted();
}

function newerSchema(names: readonly string[]): string {
  return (
    `a later version has migrated this database (${names.join(", ")}, unknown here); ` +
    "run that version, or restore a backup from before its migration"
  );
}

function missingTables(parts: readonly string[]): string {
  return (
    `the migrations have run, and yet there is no ${parts.join(", ")}; restore a backup ` +
    "of the whole database, or name an empty one"
  );
}

function incompatible(message: string): DomainError {
  return new DomainError("SCHEMA_MISMATCH", message);
}
