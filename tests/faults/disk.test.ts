// The embedded database on a disk that runs full.
import { cp } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { differences, historyOf, type Query, violations } from "#support/invariants.ts";
import { type LogLine, type RunningEngine, startEngine } from "#support/running-engine.ts";
import { type CrashStore, seededTemplate } from "../crash/support/crash-stores.ts";
import { openReplays } from "../crash/support/replays.ts";
import { CAN_MOUNT, mountSmallDisk } from "./support/small-disk.ts";

// Only in the long version: it takes half a minute. Mounting takes root.
const RUNS = process.env["TROUPE_FAULTS"] === "all" && CAN_MOUNT;
const TICKS = 10;
/** A new database takes forty. */
const MEGABYTES = 80;
const LONG = { timeout: 90_000, interval: 50 };
const PER_COMMIT = ["seq", "version"];

// Almost full is the worse case: the embedded database does not return from looking for more room.
test.runIf(RUNS).for([0, 4, 24])(
  "a disk with %i MB left loses and doubles nothing, and work goes on when there is room",
  async (left) => {
    await using replays = await openReplays();
    const replay = await replays.ofTicks(TICKS);
    await using template = await seededTemplate("pglite", { shardSize: 4 });
    const reference = await undisturbed(await template.copy(), replay);

    await using disk = await mountSmallDisk(MEGABYTES);
    await using store = await template.copy();
    await cp(folderOf(store), disk.folder, { recursive: true });
    const log: LogLine[] = [];
    const onLog = (line: LogLine) => log.push(line);
    const environment = { TROUPE_DATA_DIR: disk.folder, TROUPE_REPLAY_FILE: replay };
    await using engine = await startEngine({ environment, onLog, speed: 4 });
    disk.fill(left);
    await vi.waitFor(async () => {
      const response = await fetch(`${engine.url}/readyz`);
      expect(response.status).toBe(503);
      expect(await response.text()).toMatch(/MB are free on the disk of/);
    }, LONG);
    const begun = await ticksOf(engine);
    expect((await fetch(`${engine.url}/healthz`)).status).toBe(200);
    const since = performance.now();
    // Time for eight ticks more, of which none comes.
    await vi.waitFor(() => expect(performance.now() - since).toBeGreaterThan(2_000), LONG);
    expect(await ticksOf(engine)).toEqual(begun);
    disk.makeRoom();
    await finished(engine);
    const query = queryOf(engine);
    expect(await violations(query)).toEqual([]);
    const { alerts: _, ...history } = await historyOf(query, PER_COMMIT);
    expect(differences(reference, history)).toEqual([]);
    const isFull = left < 20;
    expect(await query("select kind from alerts order by kind")).toEqual([
      ...(isFull ? [{ kind: "database_not_writable" }] : []),
      { kind: "disk_almost_full" },
    ]);
    const told = new Set(log.map(({ msg }) => msg));
    expect(told).toEqual(
      new Set([
        "the disk is almost full; no new ticks until there is room",
        "the disk has room again; ticks go on",
        ...(isFull ? OUTAGE : []),
      ]),
    );
  },
);

const OUTAGE = [
  "the database takes no writes; work goes on when it does",
  "the database does its work again",
];

/** Proposed so far; the database is read also where it has no room to write. */
async function ticksOf(engine: RunningEngine): Promise<unknown> {
  const [row] = await queryOf(engine)("select count(*)::int as ticks from ticks");
  return row;
}

async function undisturbed(store: CrashStore, replay: string) {
  const environment = { TROUPE_DATA_DIR: folderOf(store), TROUPE_REPLAY_FILE: replay };
  await using _ = store;
  await using engine = await startEngine({ environment, speed: "max" });
  await finished(engine);
  const { alerts: __, ...history } = await historyOf(queryOf(engine), PER_COMMIT);
  return history;
}

async function finished(engine: RunningEngine): Promise<void> {
  await vi.waitFor(async () => {
    expect(engine.troupe.clock.finished).toBe(true);
    const open = "select id from ticks where status in ('pending', 'running')";
    expect(await queryOf(engine)(open)).toEqual([]);
  }, LONG);
}

function queryOf({ troupe }: RunningEngine): Query {
  return async (statement, params) => {
    const rows = await troupe.database.sql.rows(statement, params);
    return rows.map((row) => ({ ...row }));
  };
}

function folderOf(store: CrashStore): string {
  const folder = store.environment["TROUPE_DATA_DIR"];
  if (folder === undefined) throw new Error("the embedded database has a folder");
  return folder;
}
