import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDatabase } from "#persistence/database.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { type RunningPostgres, startPostgres } from "#support/embedded-postgres.ts";
import type { History, Query } from "#support/invariants.ts";
import { startTcpProxy } from "#support/tcp-proxy.ts";
import { type CrashTemplate, seededTemplate } from "../crash/support/crash-stores.ts";
import { openReplays, type Replays } from "../crash/support/replays.ts";
import { expectSameEnd, startFaultyRun, undisturbed } from "./support/faulty-run.ts";
import { NETWORK_FAULTS } from "./support/network-faults.ts";

/** The long version: everything, and more of it. */
const ALL = process.env["TROUPE_FAULTS"] === "all";
const SHARD_SIZE = 4;
const TICKS = ALL ? 30 : 6;
const LONG = { timeout: 60_000, interval: 20 };

let server: RunningPostgres;
let replays: Replays;
let replay: string;
let template: CrashTemplate;
let reference: History;

beforeAll(async () => {
  server = await startPostgres();
  replays = await openReplays();
  replay = await replays.ofTicks(TICKS);
  template = await seededTemplate("postgres", { shardSize: SHARD_SIZE, serverUrl: server.url });
  reference = await undisturbed(template, replay);
});

afterAll(async () => {
  await template[Symbol.asyncDispose]();
  await replays[Symbol.asyncDispose]();
  await server.stop();
});

/** The engine's transactions, each known by a statement of its own. */
const COMMITS = {
  "a proposed tick": /insert into ticks/,
  "an analysis": /update shards set fanned_tick_id/,
  "a shard's cycles": /update shards set\s+version/,
};

const lostCommits = Object.entries(COMMITS)
  .flatMap(([commit, having]) =>
    (["before", "after"] as const).map((moment) => ({ commit, having, moment })),
  )
  .filter(({ moment }) => ALL || moment === "after");

/** Statements that wait for a lock. */
const waiting = `
  select query from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`;

describe.concurrent("a connection lost at its commit: whether it was applied is not known", () => {
  test.for(lostCommits)("$commit, $moment it was applied", async ({ having, moment }) => {
    await using run = await startFaultyRun(template, replay);
    await run.proxy.cutAtCommit(moment, having);
    await expectSameEnd(run, reference);
  });

  test("a shard's cycles, applied when the engine has begun to put their message back", async () => {
    await using run = await startFaultyRun(template, replay);
    const held = await run.proxy.holdCommit(COMMITS["a shard's cycles"]);
    await vi.waitFor(async () => expect(await run.query(waiting)).not.toEqual([]), LONG);
    await held.deliver();
    await expectSameEnd(run, reference);
  });
});

describe.concurrent("a bad network", () => {
  const faults = Object.entries(NETWORK_FAULTS).filter(([, { isLong }]) => ALL || !isLong);

  test.for(faults)("%s", async ([, fault]) => {
    await using run = await startFaultyRun(template, replay, { speed: 10 });
    await run.proxy.cutAtCommit("before", COMMITS["a shard's cycles"]);
    await fault.breakIt(run.proxy);
    await expectSameEnd(run, reference);
  });
});

describe.concurrent("an error of the transaction is no error of a strategy", () => {
  const states = ALL ? ["40001", "40P01", "55P03", "57014"] : ["40001", "57014"];

  test.for(states)("SQLSTATE %s while cycles are stored", async (state) => {
    await using run = await startFaultyRun(template, replay, {
      prepare: (query) => raiseOften(query, state),
    });
    await expectSameEnd(run, reference);
    expect(run.log.length).toBeGreaterThan(0);
    expect(await run.alerts()).toEqual([]);
  });

  test.runIf(ALL)("all transactions are serializable", async () => {
    await using run = await startFaultyRun(template, replay, {
      prepare: (query) => setDefault(query, "default_transaction_isolation = 'serializable'"),
    });
    await expectSameEnd(run, reference);
    expect(await run.alerts()).toEqual([]);
  });
});

async function raiseOften(query: Query, state: string): Promise<void> {
  await query("create sequence fault_count");
  await query(`
    create function fail_often() returns trigger language plpgsql as $$ begin
      if nextval('fault_count') in (3, 20, 21, 40) then
        raise exception 'raised by the test' using errcode = '${state}';
      end if;
      return new;
    end $$`);
  await query(`
    create trigger fail_often before insert on strategy_compose_cycles
    for each row execute function fail_often()`);
}

async function setDefault(query: Query, setting: string): Promise<void> {
  const [row] = await query("select current_database() as name");
  await query(`alter database ${String(row?.["name"])} set ${setting}`);
}

test("the operator is told once that the database is away, and that it was", async () => {
  await using run = await startFaultyRun(template, replay, { speed: 10 });
  expect((await run.ready()).status).toBe(200);
  run.proxy.refuse();
  run.proxy.cut();
  await vi.waitFor(async () => {
    const { body, status } = await run.ready();
    expect(status).toBe(503);
    const reason = expect.stringMatching(/^connect ECONNREFUSED .* \(since /);
    expect(body).toMatchObject({ checks: [{ name: "database", ok: false, detail: reason }] });
  }, LONG);
  await run.proxy.heal();
  await vi.waitFor(async () => expect((await run.ready()).status).toBe(200), LONG);
  expect(run.log.map(({ msg }) => msg)).toEqual([
    "the database cannot be reached; work goes on when it can",
    "the database does its work again",
  ]);
  await expectSameEnd(run, reference);
  const [alert, ...others] = await run.alerts();
  expect(others).toEqual([]);
  expect(alert).toMatchObject({
    kind: "database_unreachable",
    subject: "database",
    resolved_at: null,
    detail: { from: expect.any(String), until: expect.any(String), reason: expect.any(String) },
  });
});

test("connections lost in transactions do not use up the pool", async () => {
  await using store = await createPostgresDatabase();
  await using proxy = await startTcpProxy(store.url);
  await using database = await openDatabase({ kind: "postgres", url: proxy.url, poolMax: 2 });
  const commit = () => database.transactional((sql) => sql.rows("select 1 as one"));
  for (let lost = 0; lost < 3; lost += 1) {
    const cut = proxy.cutAtCommit("before");
    await expect(commit()).rejects.toMatchObject({ code: "PORT_UNAVAILABLE" });
    await cut;
  }
  expect(await commit()).toEqual([{ one: 1 }]);
});

test("a connection whose peer vanished without a word is given up, and the next one works", async () => {
  await using store = await createPostgresDatabase();
  await using proxy = await startTcpProxy(store.url);
  const options = { kind: "postgres", url: proxy.url, silenceMs: 300, poolMax: 1 } as const;
  await using database = await openDatabase(options);
  const ask = () => database.transactional((sql) => sql.rows("select 1 as one"));
  expect(await ask()).toEqual([{ one: 1 }]);
  proxy.strand();
  await expect(ask()).rejects.toThrow("no answer from the database for 0.3 s");
  expect(await ask()).toEqual([{ one: 1 }]);
});

// The last one: it stops the server of all the others.
test("PostgreSQL is killed in mid-tick and comes back", async () => {
  await using run = await startFaultyRun(template, replay, { speed: 10 });
  await run.proxy.cutAtCommit("before", COMMITS["a shard's cycles"]);
  await server.crashAndRestart();
  await expectSameEnd(run, reference);
  expect(await run.alerts()).toMatchObject([{ kind: "database_unreachable" }]);
});
