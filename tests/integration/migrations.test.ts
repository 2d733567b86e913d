import { describe, expect, test } from "vitest";
import { type Database, openDatabase } from "#persistence/database.ts";
import { migrate, pendingMigrations, schemaDrift } from "#persistence/migrations.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { type StoreKind, storeKinds } from "#support/test-store.ts";

async function openEmpty(
  kind: StoreKind,
): Promise<{ database: Database; url: string | null } & AsyncDisposable> {
  if (kind === "pglite") {
    const database = await openDatabase({ kind, dataDir: "memory://" });
    return { database, url: null, [Symbol.asyncDispose]: () => database.close() };
  }
  const { url, [Symbol.asyncDispose]: drop } = await createPostgresDatabase();
  const database = await openDatabase({ kind, url });
  return {
    database,
    url,
    async [Symbol.asyncDispose]() {
      await database.close();
      await drop();
    },
  };
}

async function tablesOf({ sql }: Database): Promise<unknown[]> {
  const rows = await sql.rows(
    "select tablename from pg_tables where schemaname = 'public' and tablename <> 'schema_migrations'",
  );
  return rows.map((row) => row["tablename"]);
}

const ALL = [
  "0001-initial",
  "0002-context-before",
  "0003-history-indexes",
  "0004-list-indexes",
  "0006-live-orders",
  "0007-fills-before",
];

describe.each(storeKinds)("migrations on %s", (kind) => {
  test("an empty database is brought to what the entities say, and back to nothing", async () => {
    await using empty = await openEmpty(kind);
    const { database } = empty;
    expect(await pendingMigrations(database)).toEqual(ALL);
    expect(await migrate(database)).toEqual(ALL);
    expect(await pendingMigrations(database)).toEqual([]);
    expect(await schemaDrift(database)).toEqual([]);
    expect(await migrate(database)).toEqual([]);
    expect(await tablesOf(database)).toHaveLength(21);
    const { migrator } = database.orm;
    for (const name of ALL.toReversed()) expect(await migrator.down()).toMatchObject([{ name }]);
    expect(await tablesOf(database)).toEqual([]);
    expect(await migrator.down()).toEqual([]);
  });

  test("a schema that was changed by hand is reported", async () => {
    await using empty = await openEmpty(kind);
    const { database } = empty;
    await migrate(database);
    await database.sql.run("alter table ticks drop column failures");
    await database.sql.run("create schema pgboss");
    await database.sql.run("create table pgboss.job (id uuid)");
    expect(await schemaDrift(database)).toEqual([
      'alter table "ticks" add "failures" int not null default 0;',
    ]);
  });

  test("the committed snapshot says what the entities say", async () => {
    await using empty = await openEmpty(kind);
    expect(await empty.database.orm.migrator.checkSchema()).toBe(false);
  });
});

test("two servers that start at once migrate one after the other", async () => {
  await using empty = await openEmpty("postgres");
  await using second = await openDatabase({ kind: "postgres", url: empty.url ?? "" });
  const ran = await Promise.all([migrate(empty.database), migrate(second)]);
  expect(ran.flat()).toEqual(ALL);
});
