import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Database, openDatabase } from "#persistence/database.ts";
import {
  type LockHolder,
  migrate,
  pendingMigrations,
  schemaDrift,
} from "#persistence/migrations.ts";
import { schemaProblem } from "#persistence/schema-check.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { openTestStore, type StoreKind, storeKinds } from "#support/test-store.ts";

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
  "0005-pause-and-supervision",
  "0006-live-orders",
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

  test("a database that a later version has migrated is refused and left as it is", async () => {
    await using store = await openTestStore(kind);
    const { database } = store;
    await database.sql.run("insert into schema_migrations (name) values ('9999-from-the-future')");
    await database.sql.run("delete from schema_migrations where name = $1", [ALL.at(-1)]);
    await expect(migrate(database)).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringContaining("9999-from-the-future, unknown here"),
    });
    expect(await schemaProblem(database)).toContain("9999-from-the-future");
    expect(await pendingMigrations(database)).toEqual([ALL.at(-1)]);
  });

  test("a database without one of its tables is refused by its name", async () => {
    await using store = await openTestStore(kind);
    const { database } = store;
    expect(await schemaProblem(database)).toBeNull();
    await database.sql.run("drop table agent_runs");
    await expect(migrate(database)).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      message: expect.stringMatching(/there is no agent_runs;/),
    });
    await database.sql.run("alter table ticks drop column failures");
    expect(await schemaProblem(database)).toContain("agent_runs, ticks.failures");
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

test("who holds the migration lock is said after a second, and waited for", async () => {
  await using empty = await openEmpty("postgres");
  const url = `${empty.url}?application_name=a-hand-made-migration`;
  await using other = await openDatabase({ kind: "postgres", url });
  const told = Promise.withResolvers<LockHolder>();
  const migrating = await other.transactional(async (sql) => {
    const [row = {}] = await sql.rows(
      "select pg_backend_pid() as pid, pg_advisory_xact_lock(7420001)",
    );
    const begun = performance.now();
    const migrating = migrate(empty.database, told.resolve);
    const holder = await told.promise;
    expect(performance.now() - begun).toBeGreaterThan(900);
    expect(holder).toEqual({
      pid: row["pid"],
      application: "a-hand-made-migration",
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    // In an object, for a promise alone would be awaited before the lock is let go.
    return { ended: migrating };
  });
  expect(await migrating.ended).toEqual(ALL);
});

test.for<[string, string, RegExp]>([
  ["a wrong password", "wrong", /password authentication failed.*\(28P01\); correct/],
  ["no right to create tables", "right", /permission denied.*\(42501\); let this user/],
])("%s is told in the server's words, with what to do", async ([, password, words]) => {
  await using empty = await openEmpty("postgres");
  const role = `stranger_${randomUUID().slice(0, 8)}`;
  await empty.database.sql.run(`create role ${role} login password 'right'`);
  const url = new URL(empty.url ?? "");
  url.username = role;
  url.password = password;
  const attempt = async () => {
    await using database = await openDatabase({ kind: "postgres", url: url.href });
    await migrate(database);
  };
  const told = { code: "PORT_UNAVAILABLE", message: expect.stringMatching(words) };
  await expect(attempt()).rejects.toMatchObject(told);
  await empty.database.sql.run(`drop role ${role}`);
});

test("a database that does not exist is told in the server's words, with what to do", async () => {
  await using empty = await openEmpty("postgres");
  const url = new URL(empty.url ?? "");
  url.pathname = "/not_there";
  await expect(openDatabase({ kind: "postgres", url: url.href })).rejects.toMatchObject({
    code: "PORT_UNAVAILABLE",
    message: expect.stringMatching(/"not_there" does not exist \(3D000\); create that database/),
  });
});
