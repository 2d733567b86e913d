import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDatabase } from "#persistence/database.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import type { History } from "#support/invariants.ts";
import { startTcpProxy } from "#support/tcp-proxy.ts";
import { type CrashTemplate, seededTemplate } from "../crash/support/crash-stores.ts";
import { openReplays, type Replays } from "../crash/support/replays.ts";
import { expectSameEnd, startFaultyRun, undisturbed } from "./support/faulty-run.ts";

const SHARD_SIZE = 4;
const TICKS = 10;

let replays: Replays;
let replay: string;
let template: CrashTemplate;
let reference: History;

beforeAll(async () => {
  replays = await openReplays();
  replay = await replays.ofTicks(TICKS);
  template = await seededTemplate("postgres", { shardSize: SHARD_SIZE });
  reference = await undisturbed(template, replay);
});

afterAll(async () => {
  await template[Symbol.asyncDispose]();
  await replays[Symbol.asyncDispose]();
});

const LONG = { timeout: 30_000, interval: 20 };

/** Statements that wait for a lock. */
const waiting = `
  select query from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`;

/** The engine's transactions, each known by a statement of its own. */
const COMMITS = {
  "a proposed tick": /insert into ticks/,
  "an analysis": /update shards set fanned_tick_id/,
  "a shard's cycles": /update shards set\s+version/,
};

const lostCommits = Object.entries(COMMITS).flatMap(([commit, having]) =>
  (["before", "after"] as const).map((moment) => ({ commit, having, moment })),
);

describe.concurrent("a connection lost at its commit: whether it was applied is not known", () => {
  test.for(lostCommits)("$commit, $moment it was applied", async ({ having, moment }) => {
    await using run = await startFaultyRun(template, replay);
    await run.proxy.cutAtCommit(moment, having);
    await expectSameEnd(run, reference);
  });

  test("a shard's cycles, applied when the engine has begun to put their message back", async () => {
    await using run = await startFaultyRun(template, replay);
    const held = await run.proxy.holdCommit(COMMITS["a shard's cycles"]);
    await vi.waitFor(async () => expect(await run.query(waiting)).toHaveLength(1), LONG);
    await held.deliver();
    await expectSameEnd(run, reference);
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
