import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openClaimDesk } from "#adapters/pg-boss/claim-desk.ts";
import { createWorkQueue } from "#adapters/pg-boss-queue.ts";
import { openDatabase, type Database } from "#persistence/database.ts";
import { takeRetentionLock } from "#persistence/hot/retention-lock.ts";
import { migrate, schemaDrift } from "#persistence/migrations.ts";
import { createPostgresDatabase, type TestDatabase } from "#support/databases.ts";
import { startTlsPostgres, type TlsPostgres } from "#support/tls-postgres.ts";
import { queueDatabaseOf } from "../../src/troupe.ts";

const quiet = { warn: () => undefined, error: () => undefined, debug: () => undefined };

describe("a server that wants TLS", () => {
  let tls: TlsPostgres;
  beforeAll(async () => {
    tls = await startTlsPostgres();
  });
  afterAll(() => tls[Symbol.asyncDispose]());

  const forms = {
    "sslmode=require": () => "sslmode=require",
    "sslmode=verify-ca": () => `sslmode=verify-ca&sslrootcert=${tls.rootCertificate}`,
    "sslmode=verify-full": () => `sslmode=verify-full&sslrootcert=${tls.rootCertificate}`,
    "ssl=true": () => `ssl=true&sslrootcert=${tls.rootCertificate}`,
    "sslnegotiation=direct": () => "sslmode=require&sslnegotiation=direct",
  };

  test.for(Object.entries(forms))("every connection has it by %s", async ([, query]) => {
    await using database = await openDatabase({ kind: "postgres", url: `${tls.url}?${query()}` });
    await migrate(database);
    await using _ = await everyConnection(database);
    const sessions = await database.sql.rows(`
      select application_name as name, ssl from pg_stat_activity join pg_stat_ssl using (pid)
      where datname = current_database() order by 1`);
    expect(sessions.map(({ ssl }) => ssl)).toEqual(sessions.map(() => true));
    const names = new Set(sessions.map(({ name }) => name));
    expect(names).toEqual(new Set(["troupe", "troupe-claims", "troupe-queue"]));
  });

  test("is not reached without, in the server's words and with what to do", async () => {
    await expect(openDatabase({ kind: "postgres", url: tls.url })).rejects.toMatchObject({
      code: "PORT_UNAVAILABLE",
      message: expect.stringMatching(/no encryption.*\(28000\).*sslmode/s),
    });
  });

  test("is not trusted with a certificate of another authority", async () => {
    const url = `${tls.url}?sslmode=verify-full&sslrootcert=${tls.strangeCertificate}`;
    await expect(openDatabase({ kind: "postgres", url })).rejects.toThrow(/certificate/);
  });
});

test("sslmode=require never goes on in clear text with a server that has no TLS", async () => {
  const url = `${inject("postgresUrl")}?sslmode=require`;
  await expect(openDatabase({ kind: "postgres", url })).rejects.toThrow(
    "The server does not support SSL connections",
  );
});

describe("two installations in one database", () => {
  let store: TestDatabase;
  beforeAll(async () => {
    store = await createPostgresDatabase();
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const forms = {
    schema: (schema: string) => `schema=${schema}`,
    search_path: (schema: string) => `search_path=${schema}`,
    options: (schema: string) => `options=${encodeURIComponent(`-c search_path=${schema},public`)}`,
  };

  test.for(Object.entries(forms))("by %s have tables and a queue each", async ([form, query]) => {
    const names = [`${form}_one`, `${form}_two`];
    for (const schema of names) {
      // Only `schema` creates it.
      if (form !== "schema") await create(store.url, schema);
      await using database = await openDatabase({
        kind: "postgres",
        url: `${store.url}?${query(schema)}`,
      });
      await migrate(database);
      expect(await schemaDrift(database)).toEqual([]);
      await using _ = await everyConnection(database);
    }
    await using database = await openDatabase({ kind: "postgres", url: store.url });
    const tables = await database.sql.rows(`
      select table_schema as schema, count(*)::int as tables from information_schema.tables
      where table_name in ('strategies', 'schema_migrations', 'job') group by 1 order by 1`);
    const expected = names.flatMap((schema) => [
      { schema: `pgboss_${schema}`, tables: 1 },
      { schema, tables: 2 },
    ]);
    const ofThese = tables.filter(({ schema }) => String(schema).includes(form));
    expect(ofThese).toEqual(expected.toSorted((a, b) => (a.schema < b.schema ? -1 : 1)));
    expect(tables.filter(({ schema }) => schema === "public")).toEqual([]);
  });

  test.for<[string, string, string]>([
    ["a search path without a schema", "search_path=nowhere", "names no schema that exists"],
    ["a schema the queue cannot be named after", `schema=${"s".repeat(44)}`, "at most 43"],
  ])("%s is refused", async ([, query, why]) => {
    const url = `${store.url}?${query}`;
    await expect(openDatabase({ kind: "postgres", url })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining(why),
    });
  });

  test("can be pruned at the same time", async () => {
    const url = (schema: string) => `${store.url}?schema=${schema}`;
    await using one = await openDatabase({ kind: "postgres", url: url("one") });
    await using two = await openDatabase({ kind: "postgres", url: url("two") });
    const locks = [await takeRetentionLock(one), await takeRetentionLock(two)];
    for (const lock of locks) await lock.release();
  });
});

/** The queue, the claim desk and the lock of a prune, each with connections of its own. */
async function everyConnection(database: Database): Promise<AsyncDisposable> {
  const resources = new AsyncDisposableStack();
  const { connection, queueSchema: schema } = database;
  if (connection === undefined) throw new Error("expected a server");
  const queue = createWorkQueue({ database: queueDatabaseOf(database), logger: quiet });
  await queue.start();
  resources.defer(() => queue.stop(0));
  resources.use(await openClaimDesk({ connection, schema, logger: quiet }));
  const lock = await takeRetentionLock(database);
  resources.defer(() => lock.release());
  return resources;
}

async function create(url: string, schema: string): Promise<void> {
  await using database = await openDatabase({ kind: "postgres", url });
  await database.sql.run(`create schema ${schema}`);
}
