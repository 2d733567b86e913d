// SIGTERM in every state: a bounded time, nothing sold, and the next start goes on.
import pg from "pg";
import { describe, expect, test, vi } from "vitest";
import { systemTimer } from "#adapters/system-timer.ts";
import { WORK_FAILPOINTS } from "#ports/failpoints.ts";
import { violations } from "#support/invariants.ts";
import { startProgram, type RunningProgram } from "#support/processes.ts";
import { temporaryFolder } from "#support/running-engine.ts";
import { startTcpProxy } from "#support/tcp-proxy.ts";
import { openTestStore } from "#support/test-store.ts";

const isLong = process.env["TROUPE_FAULTS"] === "all";
const MAIN = "src/main.ts";
const SILENT = "tests/faults/support/silent-start.ts";
const READY = { timeout: 40_000, interval: 20 };
/** Ten seconds are promised; the rest is for a busy machine. */
const BOUND_MS = 15_000;

/** Boundaries of controls, of a refused row, of the stop itself: nothing of that happens here. */
const NOT_PASSED = /^(control|stop|shutdown)\.|half-done|counts-corrected/;

type Settings = Readonly<Record<string, string>>;

describe.concurrent("SIGTERM", { timeout: isLong ? 900_000 : 150_000 }, () => {
  // Where it is when the signal comes: the process sends it to itself.
  const moments = isLong
    ? WORK_FAILPOINTS.filter((failpoint) => !NOT_PASSED.test(failpoint))
    : (["boot.resumed", "decision.before", "journal.before-commit"] as const);

  test("while it restores, analyses, decides, commits or closes leaves all to be resumed", async () => {
    await using database = await openDatabase();
    const { settings, query } = database;
    let before = await cyclesOf(query);
    for (const moment of moments) {
      const occurrence = moment.startsWith("boot.") ? 1 : 3;
      const crashAt = { TROUPE_CRASH_AT: `${moment}:${occurrence}:SIGTERM` };
      await using program = startProgram(MAIN, [], { ...settings, ...crashAt });
      const { code, stdout, stderr } = await program.ended;
      expect({ moment, code, stderr }).toEqual({ moment, code: 0, stderr: "" });
      expect(stdout).toContain("SIGTERM: finishing work under way, selling nothing …");
      if (before > 0) expect(stdout).toContain("resumed 12 that a shutdown had interrupted");
      expect(await statesOf(query), moment).toEqual({ cancelled: 12 });
      const after = await cyclesOf(query);
      expect(after, moment).toBeGreaterThanOrEqual(before);
      before = after;
    }
    expect(await soldBy(query)).toEqual([]);
    expect(await violations(query)).toEqual([]);
  });

  test("while it has nothing to do", async () => {
    await using database = await openDatabase();
    const { settings, query } = database;
    await using program = startProgram(MAIN, [], { ...settings, TROUPE_REPLAY_SPEED: "0.001" });
    await until(() => expect(program.stdout).toContain("API at"));
    expect(await terminate(program)).toMatchObject({ code: 0, stderr: "" });
    expect(await statesOf(query)).toEqual({ cancelled: 12 });
  });

  test("while it still starts ends the start", async () => {
    await using database = await openDatabase();
    const { settings, query } = database;
    // With something to restore.
    await using first = startProgram(MAIN, [], settings);
    await until(() => expect(first.stdout).toMatch(/\d+ cycles/));
    await terminate(first);
    for (const wait of isLong ? [0, 50, 100, 200, 300, 400, 500, 600, 700, 800] : [150]) {
      await using program = startProgram(MAIN, [], settings);
      await until(() => expect(program.stdout).toContain("opening"));
      await systemTimer.after(wait);
      expect(await terminate(program)).toMatchObject({ code: 0, stderr: "" });
      expect(await statesOf(query), `after ${wait} ms`).toEqual({ cancelled: 12 });
    }
    expect(await violations(query)).toEqual([]);
  });

  const silences: [string, string, number][] = [
    ["a decision", "decision", 6],
    ["an agent", "agent", 0],
    ["a channel", "channel", 0],
  ];
  test.each(isLong ? silences : silences.slice(0, 1))(
    "while %s never answers",
    async (_what, silent, atLeast) => {
      await using database = await openDatabase();
      const { settings, query } = database;
      await using program = startProgram(SILENT, [silent], settings);
      await until(() => expect(program.stdout).toContain("asked"));
      await until(async () => expect(await cyclesOf(query)).toBeGreaterThanOrEqual(atLeast));
      expect(await terminate(program)).toMatchObject({ code: 0 });
      expect(await statesOf(query)).toEqual({ cancelled: 12 });
      expect(await soldBy(query)).toEqual([]);
      await using next = startProgram(MAIN, [], settings);
      await until(() => expect(next.stdout).toMatch(/resumed 12 .*ticks? under way/));
      await until(async () => expect(await ticksOf(query)).toBeGreaterThan(2));
      expect(await terminate(next)).toMatchObject({ code: 0, stderr: "" });
      expect(await violations(query)).toEqual([]);
    },
  );

  test("for the second time ends it at once with 143, and nothing is lost", async () => {
    await using database = await openDatabase();
    const { settings, query } = database;
    await using program = startProgram(SILENT, ["decision"], settings);
    await until(() => expect(program.stdout).toContain("asked"));
    program.kill("SIGTERM");
    await until(() => expect(program.stdout).toContain("SIGTERM: finishing"));
    program.kill("SIGTERM");
    const { code, stdout } = await program.ended;
    expect(code).toBe(143);
    expect(stdout).not.toContain("stopped");
    await using next = startProgram(MAIN, [], settings);
    await until(async () => expect(await ticksOf(query)).toBeGreaterThan(2));
    expect(await terminate(next)).toMatchObject({ code: 0, stderr: "" });
    expect(await statesOf(query)).toEqual({ cancelled: 12 });
    expect(await violations(query)).toEqual([]);
  });

  test.each(isLong ? ["is silent", "refuses"] : ["is silent"])(
    "while the database %s",
    async (how) => {
      await using database = await openDatabase();
      const { settings, query } = database;
      await using proxy = await startTcpProxy(settings.DATABASE_URL);
      await using program = startProgram(MAIN, [], { ...settings, DATABASE_URL: proxy.url });
      await until(() => expect(program.stdout).toMatch(/\d+ cycles/));
      if (how === "is silent") proxy.blackHole();
      else {
        proxy.refuse();
        proxy.cut("reset");
      }
      const { stdout } = await terminate(program);
      expect(stdout).toMatch(/stopped, nothing sold|cut short: what is committed is safe/);
      await proxy.heal();
      expect(await soldBy(query)).toEqual([]);
      const before = await ticksOf(query);
      await using next = startProgram(MAIN, [], settings);
      await until(() => expect(next.stdout).toContain("restored 12"));
      await until(async () => expect(await ticksOf(query)).toBeGreaterThan(before + 2));
      expect(await terminate(next)).toMatchObject({ code: 0, stderr: "" });
      expect(await violations(query)).toEqual([]);
    },
  );
});

async function openDatabase() {
  const resources = new AsyncDisposableStack();
  const { url } = resources.use(await openTestStore("postgres"));
  if (url === null) throw new Error("no PostgreSQL");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  resources.defer(() => client.end());
  const settings = {
    DATABASE_URL: url,
    TROUPE_DATA_DIR: await temporaryFolder(resources),
    TROUPE_PORT: "0",
    TROUPE_REPLAY_SPEED: "20",
    TROUPE_LOG_LEVEL: "silent",
  } satisfies Settings;
  const query: Query = async (statement, params = []) =>
    (await client.query<Record<string, unknown>>(statement, [...params])).rows;
  return { settings, query, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

async function until(isTrue: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(isTrue, READY);
}

type Query = Parameters<typeof violations>[0];

/** Asks it to end, and waits until it has. */
async function terminate(program: RunningProgram) {
  const askedAt = performance.now();
  program.kill("SIGTERM");
  const ended = await program.ended;
  expect(performance.now() - askedAt).toBeLessThan(BOUND_MS);
  return ended;
}

async function statesOf(query: Query): Promise<Record<string, number>> {
  const rows = await query("select state, count(*)::int as n from strategies group by 1");
  return Object.fromEntries(rows.map(({ state, n }) => [String(state), Number(n)]));
}

async function cyclesOf(query: Query): Promise<number> {
  const [row] = await query("select count(*)::int as n from strategy_compose_cycles");
  return Number(row?.["n"]);
}

async function ticksOf(query: Query): Promise<number> {
  const [row] = await query("select count(*)::int as n from ticks where status = 'completed'");
  return Number(row?.["n"]);
}

/** Cycles that no tick caused: what a shutdown would have sold. */
function soldBy(query: Query): Promise<Record<string, unknown>[]> {
  return query("select * from strategy_compose_cycles where cause <> 'tick'");
}
