import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemTimer } from "#adapters/system-timer.ts";
import { openDatabase, type Database } from "#persistence/database.ts";
import { OutageWatch } from "#persistence/database-watch.ts";
import { fromDriver } from "#persistence/errors.ts";
import { migrate } from "#persistence/migrations.ts";
import { shortTimeouts } from "#persistence/schema-check.ts";
import { createPostgresDatabase, type TestDatabase } from "#support/databases.ts";

const LONG = { timeout: 20_000, interval: 20 };

describe("a database that was read-only for a while", () => {
  let store: TestDatabase;
  let database: Database;
  let admin: Database;
  let watch: OutageWatch;
  let told: string[];

  beforeEach(async () => {
    store = await createPostgresDatabase();
    admin = await openDatabase({ kind: "postgres", url: store.url });
    await migrate(admin);
    await beReadOnly("on");
    database = await openDatabase({ kind: "postgres", url: store.url });
    told = [];
    const logger = { debug: tell, info: tell, warn: tell, error: tell };
    watch = new OutageWatch({ database, logger, timer: systemTimer });
  });

  afterEach(async () => {
    watch[Symbol.dispose]();
    await database.close();
    await admin.close();
    await store[Symbol.asyncDispose]();
  });

  test("loses the sessions of that time at the first refusal, and begins no outage then", async () => {
    await openSessions(5);
    await beReadOnly("off");
    const refused = await write().catch((error: unknown) => error);
    expect(refused).toMatchObject({ details: { sqlState: "25006" } });
    expect(watch.blames(refused)).toBe(true);
    await expect.poll(() => watch.outage, LONG).toBeNull();
    await Promise.all(Array.from({ length: 5 }, write));
    expect(told).toEqual([]);
    expect(watch.recoveries).toBe(0);
  });

  test("takes writes again with the first probe, in every session", async () => {
    await openSessions(5);
    expect(watch.blames(await write().catch((error: unknown) => error))).toBe(true);
    await expect.poll(() => told, LONG).toEqual([expect.stringContaining("takes no writes")]);
    // Readers go on in sessions that cannot write.
    await openSessions(5);
    await beReadOnly("off");
    await expect.poll(() => watch.recoveries, LONG).toBe(1);
    await Promise.all(Array.from({ length: 5 }, write));
    expect(told).toEqual([
      "the database takes no writes; work goes on when it does",
      "the database does its work again",
    ]);
  });

  const tell = (_detail: object, message: string) => void told.push(message);

  const write = () =>
    database.transactional((sql) => sql.run("update users set updated_at = updated_at"));

  async function openSessions(count: number): Promise<void> {
    const read = () => database.sql.rows("select pg_sleep(0.05)");
    await Promise.all(Array.from({ length: count }, read));
  }

  async function beReadOnly(value: "on" | "off"): Promise<void> {
    const [row] = await admin.sql.rows("select current_database() as name");
    await admin.sql.run(
      `alter database ${String(row?.["name"])} set default_transaction_read_only = ${value}`,
    );
  }
});

test.for<[string, object, { kind: string; reason: string } | null]>([
  ["55000", sqlError("55000"), { kind: "database_unreachable", reason: "of the server" }],
  ["57P03", sqlError("57P03"), { kind: "database_unreachable", reason: "of the server" }],
  ["53100", sqlError("53100"), { kind: "database_not_writable", reason: "of the server" }],
  [
    "a plain object of the queue",
    { code: "57P01", message: "of the queue" },
    { kind: "database_unreachable", reason: "of the queue" },
  ],
  [
    "a plain object without a code",
    { message: "of the queue" },
    { kind: "database_unreachable", reason: "of the queue" },
  ],
  ["40001", sqlError("40001"), null],
])("%s is told in words, and counts as an outage or not", ([, error, trouble]) => {
  const { details, message } = fromDriver(error);
  expect(message).not.toContain("[object");
  const { trouble: kind, reason } = details;
  expect(kind === undefined ? null : { kind, reason }).toEqual(trouble);
});

test("limits under which the server ends the engine's own statements are found", async () => {
  await using store = await createPostgresDatabase();
  const limited = `${store.url}?options=${encodeURIComponent("-c statement_timeout=2ms")}`;
  await using database = await openDatabase({ kind: "postgres", url: limited });
  const read = async () => shortTimeouts(database.sql);
  await expect.poll(() => read().catch(() => null), LONG).toContain("statement_timeout is 2 ms");
  await using unlimited = await openDatabase({ kind: "postgres", url: store.url });
  expect(await shortTimeouts(unlimited.sql)).toBeNull();
});

function sqlError(code: string): Error {
  return Object.assign(new Error("of the server"), { code });
}
