import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createWorkQueue, type QueueDatabase } from "#adapters/pg-boss-queue.ts";
import { InvariantError } from "#domain/errors.ts";
import { AuditLog } from "#entities/audit-log.entity.ts";
import { User } from "#entities/user.entity.ts";
import type { Database, OpenTransaction } from "#persistence/database.ts";
import { audit } from "#persistence/repositories/audit.repository.ts";
import { ensureUser } from "#persistence/repositories/users.repository.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const CONNECTIONS = 10;

describe.each(storeKinds)("a transaction on %s", (kind) => {
  let store: TestStore;
  let database: Database;
  let queue: WorkQueue;

  beforeAll(async () => {
    store = await openTestStore(kind);
    ({ database } = store);
    const logger = { warn: () => undefined, error: () => undefined };
    queue = createWorkQueue({ database: queueDatabaseOf(store), logger });
    await queue.start();
  });
  afterAll(async () => {
    await queue.stop(0);
    await store[Symbol.asyncDispose]();
  });
  beforeEach(() => database.sql.run("delete from users"));

  /** One of everything a use case may store. */
  async function storeEverything(transaction: OpenTransaction): Promise<void> {
    transaction.em.create(User, { email: "of@entity", fullName: "An entity" });
    await transaction.run("insert into users (email, full_name) values ('of@statement', 'A row')");
    const message = { key: "a shard", body: { kind: "command" } };
    await queue.send("shards", [message], transaction.transaction);
    const subject = { subjectType: "user", subjectId: "of@entity" } as const;
    audit(transaction, { actor: "test", action: "user.create", ...subject });
  }

  async function stored() {
    const [row = {}] = await database.sql.rows(
      `select (select count(*)::int from users) as users,
         (select count(*)::int from audit_log) as audited,
         (select count(*)::int from pgboss.job where name = 'shards') as messages`,
    );
    return row;
  }

  test("that fails stores no entity, row, message or audit", async () => {
    const failing = database.transactional(async (transaction) => {
      await storeEverything(transaction);
      await transaction.em.flush();
      throw new RangeError("changed its mind");
    });
    await expect(failing).rejects.toThrow(RangeError);
    expect(await stored()).toEqual({ users: 0, audited: 0, messages: 0 });
  });

  test("that ends stores entity, row, message and audit together", async () => {
    await database.transactional(storeEverything);
    expect(await stored()).toEqual({ users: 2, audited: 1, messages: 1 });
    const entries = await database.read((em) => em.find(AuditLog, { actor: "test" }));
    expect(entries).toMatchObject([{ action: "user.create", subjectId: "of@entity", detail: {} }]);
  });

  test("sees its own entities in its statements and its rows among its entities", async () => {
    await database.transactional(async (transaction) => {
      const user = transaction.em.create(User, { email: "own@entity", fullName: "Own" });
      await transaction.em.flush();
      const found = await transaction.rows("select id from users where email = 'own@entity'");
      expect(found).toEqual([{ id: user.id }]);
      await transaction.run("insert into users (email, full_name) values ('own@row', 'Own')");
      expect(await transaction.em.count(User)).toBe(2);
    });
  });

  test("an entity that is refused at the end undoes the statements before it", async () => {
    await ensureUser(database, { email: "taken@entity", fullName: "First", role: "user" });
    const failing = database.transactional(async (transaction) => {
      await transaction.run("insert into users (email, full_name) values ('before@entity', 'X')");
      transaction.em.create(User, { email: "taken@entity", fullName: "Second" });
    });
    await expect(failing).rejects.toMatchObject({
      code: "DUPLICATE",
      message: "a user with this email exists",
    });
    expect(await stored()).toMatchObject({ users: 1 });
  });

  test.each(["a zero byte \0", "half a pair \ud800"])(
    "a text the database cannot store is the caller's mistake: %j",
    async (fullName) => {
      const user = { email: "odd@text", fullName, role: "user" } as const;
      await expect(ensureUser(database, user)).rejects.toMatchObject({ code: "INVALID_INPUT" });
      expect(await stored()).toMatchObject({ users: 0 });
    },
  );

  test("quotes, question marks and backslashes are stored as they are", async () => {
    const fullName = String.raw`O'Neil ? \' $1 ?? "x" \?`;
    await ensureUser(database, { email: "quoted@text", fullName, role: "user" });
    expect(await database.sql.rows("select full_name from users")).toEqual([
      { full_name: fullName },
    ]);
  });

  test("an entity that lacks a value is a bug, and its other values are not told", async () => {
    const failing = database.transactional(async ({ em }) => {
      em.create(User, { fullName: "a secret" } as User);
    });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvariantError);
    expect(String(error)).toContain("User");
    expect(JSON.stringify(error) + String(error)).not.toContain("a secret");
    expect(error).not.toHaveProperty("cause");
  });
});

test("connections lost under entities are given back, however many were lost", async () => {
  await using store = await openTestStore("postgres");
  const { database } = store;
  for (let lost = 0; lost <= CONNECTIONS; lost += 1) {
    const failing = database.transactional(async (transaction) => {
      const [row] = await transaction.rows("select pg_backend_pid() as pid");
      await database.sql.rows("select pg_terminate_backend($1::int)", [row?.["pid"]]);
      transaction.em.create(User, { email: `lost${lost}@entity`, fullName: "Lost" });
    });
    await expect(failing).rejects.toMatchObject({ code: "PORT_UNAVAILABLE" });
  }
  const user = { email: "after@entity", fullName: "After", role: "user" } as const;
  expect(await ensureUser(database, user)).toMatchObject(user);
  expect(await database.read((em) => em.count(User))).toBe(1);
});

function queueDatabaseOf({ database, url }: TestStore): QueueDatabase {
  return database.pglite === undefined
    ? { kind: "postgres", connection: { connectionString: url ?? "" } }
    : { kind: "pglite", client: database.pglite };
}
