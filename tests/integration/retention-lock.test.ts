import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type Database, openDatabase } from "#persistence/database.ts";
import { takeRetentionLock } from "#persistence/hot/retention-lock.ts";
import { createPostgresDatabase } from "#support/databases.ts";

const SILENCE_MS = 1_500;
const BUSY = { code: "PRUNE_RUNNING" };
/** Of this database: others of the server have their own. */
const HOLDERS = `from pg_locks l join pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and a.datname = current_database()`;

let server: Awaited<ReturnType<typeof createPostgresDatabase>>;
let here: Database;
let elsewhere: Database;

beforeAll(async () => {
  server = await createPostgresDatabase();
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async ({ onTestFinished }) => {
  here = await openDatabase({ kind: "postgres", url: server.url, silenceMs: SILENCE_MS });
  elsewhere = await openDatabase({ kind: "postgres", url: server.url });
  onTestFinished(async () => {
    await here.close();
    await elsewhere.close();
  });
});

test("is kept for longer than a connection may be silent, and then given back", async () => {
  const lock = await takeRetentionLock(here);
  await vi.waitFor(async () => expect(await heldForMs()).toBeGreaterThan(SILENCE_MS + 500), {
    timeout: 3 * SILENCE_MS,
  });
  await expect(takeRetentionLock(elsewhere)).rejects.toMatchObject(BUSY);
  await expect(takeRetentionLock(here)).rejects.toMatchObject(BUSY);
  expect(lock.lost.aborted).toBe(false);
  await lock.release();
  const next = await takeRetentionLock(elsewhere);
  await next.release();
});

test("that is lost with its connection is known to be, and another may be taken", async () => {
  const lock = await takeRetentionLock(here);
  await elsewhere.sql.rows(`select pg_terminate_backend(l.pid) ${HOLDERS}`);
  await vi.waitFor(() => expect(lock.lost.aborted).toBe(true), { timeout: 5_000 });
  await expect(lock.release()).rejects.toMatchObject({ code: "PORT_UNAVAILABLE" });
  const next = await takeRetentionLock(here);
  await next.release();
});

/** How long the connection with the lock has lived; NaN when there is none. */
async function heldForMs(): Promise<number> {
  const [row] = await elsewhere.sql.rows(
    `select extract(epoch from clock_timestamp() - a.backend_start) * 1000 as ms
     ${HOLDERS}`,
  );
  return Number(row?.["ms"]);
}
