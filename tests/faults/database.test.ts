import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDatabase } from "#persistence/database.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { type RunningPostgres, startPostgres } from "#support/embedded-postgres.ts";
import type { History, Query } from "#support/invariants.ts";
import { startTcpProxy } from "#support/tcp-proxy.ts";
import { type CrashTemplate, seededTemplate } from "../crash/support/crash-stores.ts";
import { openReplays, type Replays } from "../crash/support/replays.ts";
import {
  expectSameEnd,
  type FaultyRun,
  startFaultyRun,
  undisturbed,
} from "./support/faulty-run.ts";
import { NETWORK_FAULTS } from "./support/network-faults.ts";
import {
  DEADLOCK_TIMEOUT,
  OPEN_TRANSACTIONS,
  SecondSession,
  WAITING,
} from "./support/second-session.ts";

/** The long version: everything, and more of it. */
const ALL = process.env["TROUPE_FAULTS"] === "all";
const SHARD_SIZE = 4;
const TICKS = ALL ? 30 : 6;
const LONG = { timeout: 60_000, interval: 20 };
/** Strategies run in threads of their own unless told otherwise. */
const THREADS = ALL ? [2, 0] : [1];

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
const lost = "a connection lost at its commit: whether it was applied is not known";

describe.concurrent.each(THREADS)(`${lost}, %i threads`, (threads) => {
  test.for(lostCommits)("$commit, $moment it was applied", async ({ having, moment }) => {
    await using run = await startFaultyRun(template, replay, { threads });
    await run.proxy.cutAtCommit(moment, having);
    await expectSameEnd(run, reference);
    const isFirstWrite = moment === "after" || having !== COMMITS["a shard's cycles"];
    if (isFirstWrite) await expectWrittenOnce(run);
  });

  test("a shard's cycles, applied when the engine has begun to put their message back", async () => {
    await using run = await startFaultyRun(template, replay, { threads });
    const held = await run.proxy.holdCommit(COMMITS["a shard's cycles"]);
    await vi.waitFor(async () => expect(await run.query(WAITING)).not.toEqual([]), LONG);
    await held.deliver();
    await expectSameEnd(run, reference);
    await expectWrittenOnce(run);
  });
});

describe.concurrent("a user's stop whose commit got no answer, asked for again", () => {
  const moments = [
    { moment: "after", again: "unchanged" },
    { moment: "before", again: "requested" },
  ] as const;
  test.for(ALL ? moments : moments.slice(0, 1))(
    "$moment it was applied, is one stop: $again",
    async ({ again, moment }) => {
      await using run = await startFaultyRun(template, replay, { speed: 10 });
      const [strategy] = await run.query("select id from strategies order by id limit 1");
      const strategyId = String(strategy?.["id"]);
      const request = {
        strategyId,
        commandId: randomUUID(),
        closePositions: true,
        reason: "tired",
      };
      const cut = run.proxy.cutAtCommit(moment, /"desired_status" = 'stopped'/);
      const { stop } = run.engine.client.strategies;
      await expect(stop.mutate(request)).rejects.toThrow("the database cannot be reached");
      await cut;
      await vi.waitFor(async () => {
        expect(await stop.mutate(request)).toMatchObject({ outcome: again });
      }, LONG);
      const stopped = "select id from strategies where state = 'stopped'";
      await vi.waitFor(async () => {
        expect(await run.query(stopped)).toEqual([{ id: strategyId }]);
      }, LONG);
      await run.finished();
      const asked = "select action from audit_log where action = 'strategy.stop'";
      expect(await run.query(asked)).toHaveLength(1);
      await run.history();
    },
  );
});

describe.concurrent("a new strategy whose commit got no answer, asked for again by its id", () => {
  const moments = ["after", "before"] as const;
  test.for(ALL ? moments : moments.slice(0, 1))("%s it was applied, is one", async (moment) => {
    await using run = await startFaultyRun(template, replay, { speed: 10 });
    const definition = "multi_agent_btc_daily";
    const request = { definition, initialBalance: "10000", strategyId: randomUUID() };
    const cut = run.proxy.cutAtCommit(moment, /insert into strategies\b/);
    const { create } = run.engine.client.strategies;
    await expect(create.mutate(request)).rejects.toThrow("the database cannot be reached");
    await cut;
    await vi.waitFor(async () => {
      expect(await create.mutate(request)).toMatchObject({ strategyId: request.strategyId });
    }, LONG);
    await run.finished();
    const created = "select subject_id from audit_log where action = 'strategy.create'";
    const subjects = (await run.query(created)).map((row) => row["subject_id"]);
    expect(subjects.filter((id) => id === request.strategyId)).toHaveLength(1);
    await run.history();
  });
});

test.runIf(ALL).for(THREADS)(
  "a transaction whose engine has vanished ends with the heartbeat, %i threads",
  async (threads) => {
    const environment = { TROUPE_HEARTBEAT_SECONDS: "2" };
    await using run = await startFaultyRun(template, replay, { environment, threads });
    await run.proxy.holdCommit(COMMITS["a shard's cycles"]);
    const open = await run.query(OPEN_TRANSACTIONS);
    expect(open).not.toEqual([]);
    // Well below the ten seconds of the default.
    const isOver = async () => {
      const left = await run.query(OPEN_TRANSACTIONS);
      const isStillOpen = ({ pid, since }: (typeof open)[number]) =>
        left.some((other) => other["pid"] === pid && other["since"] === since);
      expect(open.filter(isStillOpen)).toEqual([]);
    };
    await vi.waitFor(isOver, { timeout: 7_000 });
    await expectSameEnd(run, reference);
  },
);

describe.concurrent.each(ALL ? THREADS : [0])("a bad network, %i threads", (threads) => {
  const faults = Object.entries(NETWORK_FAULTS).filter(([, { isLong }]) => ALL || !isLong);

  test.for(faults)("%s", async ([, fault]) => {
    await using run = await startFaultyRun(template, replay, { speed: 10, threads });
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
    const why = expect.stringContaining(`(${state})`);
    expect(run.log).toContainEqual(expect.objectContaining({ error: why }));
    expect(await run.alerts()).toEqual([]);
  });

  // Slow: of transactions that do not meet in any row, too, one has to be done again.
  test.runIf(ALL)("all transactions are serializable", { timeout: 400_000 }, async () => {
    await using run = await startFaultyRun(template, replay, {
      prepare: (query) => setDefault(query, "default_transaction_isolation = 'serializable'"),
    });
    await expectSameEnd(run, reference);
    expect(await run.alerts()).toEqual([]);
  });

  test("another session deadlocks with a commit", async () => {
    await using session = new SecondSession();
    await using run = await startFaultyRun(template, replay, {
      prepare: async (query, databaseUrl) => {
        await setDefault(query, DEADLOCK_TIMEOUT);
        await session.hold(databaseUrl, "a strategy");
      },
    });
    await session.deadlock();
    await expectSameEnd(run, reference);
    const deadlocked = expect.stringContaining("deadlock detected (40P01)");
    expect(run.log).toContainEqual(expect.objectContaining({ error: deadlocked }));
    expect(await run.alerts()).toEqual([]);
  });

  test.runIf(ALL).for(["lock_timeout", "statement_timeout"])(
    "another session holds the shards for longer than the %s",
    async (timeout) => {
      await using session = new SecondSession();
      await using run = await startFaultyRun(template, replay, {
        prepare: async (query, databaseUrl) => {
          await setDefault(query, `${timeout} = '500ms'`);
          await session.hold(databaseUrl, "the shards");
        },
      });
      await session.letGoAfter(3_000);
      await expectSameEnd(run, reference);
      const why = expect.stringContaining("canceling statement due to");
      expect(run.log).toContainEqual(expect.objectContaining({ error: why }));
      expect(await run.alerts()).toEqual([]);
    },
  );
});

test.runIf(ALL)("a database that turned read-only is said to take no writes", async () => {
  await using run = await startFaultyRun(template, replay, { speed: 10 });
  await setDefault(run.query, "default_transaction_read_only = on");
  run.proxy.cut();
  await vi.waitFor(async () => {
    const { body, status } = await run.ready();
    expect(status).toBe(503);
    expect(JSON.stringify(body)).toContain("in a read-only transaction");
  }, LONG);
  await setDefault(run.query, "default_transaction_read_only = off");
  run.proxy.cut();
  await expectSameEnd(run, reference);
});

test.runIf(ALL)("an outage longer than a tick may take costs a replay no cycle", async () => {
  // Messages that could not be put back come again after the heartbeat: the tick waits for that.
  const environment = { TROUPE_HEARTBEAT_SECONDS: "2" };
  const settings = { tickDeadlineMs: 10_000 };
  const options = { speed: 10, environment, settings };
  await using run = await startFaultyRun(template, replay, options);
  await run.proxy.cutAtCommit("before", COMMITS["a shard's cycles"]);
  run.proxy.refuse();
  run.proxy.cut();
  await vi.waitFor(async () => expect(await secondsAway(run)).toBeGreaterThan(12), LONG);
  await run.proxy.heal();
  await expectSameEnd(run, reference);
});

/** Nobody tried to store a cycle again that was stored: the server counts what is rolled back, too. */
async function expectWrittenOnce({ engine, query }: FaultyRun): Promise<void> {
  // A session that ends hands in its counts.
  await engine[Symbol.asyncDispose]();
  const counted = `
    select n_tup_ins::int as tried, (select count(*)::int from strategy_compose_cycles) as stored
    from pg_stat_user_tables where relname = 'strategy_compose_cycles'`;
  await vi.waitFor(async () => {
    const [row] = await query(counted);
    expect(row?.["tried"]).toBe(row?.["stored"]);
  }, LONG);
}

async function secondsAway({ engine }: FaultyRun): Promise<number> {
  const { outage } = engine.troupe.watch;
  return outage === null ? 0 : (Date.now() - outage.since) / 1000;
}

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
  const change = `alter database ${String(row?.["name"])} set ${setting}`;
  // It may have been told to be read-only.
  await query(`begin read write; ${change}; commit`);
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
test.for(THREADS)(
  "PostgreSQL is killed in mid-tick and comes back, %i threads",
  async (threads) => {
    const options = { speed: 10, threads, environment: { TROUPE_HEARTBEAT_SECONDS: "3" } };
    await using run = await startFaultyRun(template, replay, options);
    await run.proxy.cutAtCommit("before", COMMITS["a shard's cycles"]);
    await server.crashAndRestart();
    await expectSameEnd(run, reference);
    expect(await run.alerts()).toMatchObject([{ kind: "database_unreachable" }]);
  },
);
