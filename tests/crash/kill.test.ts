import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WORK_FAILPOINTS } from "#ports/failpoints.ts";
import { seededRandom } from "#support/random.ts";
import { seededTemplate, type CrashTemplate, type StoreKind } from "./support/crash-stores.ts";
import type { Orders } from "./support/engine-run.ts";
import {
  CAST,
  type Chapter,
  chapterEnds,
  type Kill,
  planDeaths,
  SHARD_SIZE,
} from "./support/kill-plan.ts";
import { KillTable } from "./support/kill-table.ts";
import { Lifetime } from "./support/lifetime.ts";
import { ProgramLife, type Unforeseen } from "./support/program-life.ts";
import { openReplays, type Replays } from "./support/replays.ts";

const SEED = Number(process.env["TROUPE_CRASH_SEED"] ?? 20_261_121);
/** How often a process is killed on each database; 0: at every second failpoint once, on one of the two. */
const KILLS = Number(process.env["TROUPE_CRASH_KILLS"] ?? 0);
/** The share of the kills that are dealt out to the failpoints; the others come at any moment. */
const AT_BOUNDARIES = 0.85;

/** A strategy with open positions, which it closes when it is stopped. */
const COMMANDED = "Eager";

interface Stage {
  kind: StoreKind;
  /** Lifetimes side by side. */
  lanes: number;
  /** Threads for the strategies of a lane's processes; 0: they share the main one. */
  threadsIn: (lane: number) => number;
}

/** How the program itself dies, besides over a stop that was asked for over its API. */
const PROGRAM_DEATHS: readonly (Kill | Unforeseen)[] = [
  { changes: 60 },
  { failpoint: "journal.in-commit.members-written", occurrence: 40 },
  { failpoint: "tick.in-commit.messages-sent", occurrence: 20 },
  { changes: 110 },
  { failpoint: "journal.after-commit", occurrence: 40 },
];
const PROGRAM_TICKS = KILLS > 0 ? 60 : 20;

const CHAPTERS = 2;
// On PostgreSQL a dead node's work waits for its heartbeat, two seconds here, which several lifetimes
// can wait for side by side; on PGlite there is work for as many as there are cores. In the long run
// they are as many on both, so that its chapters end on days on which there is something to sell.
const stages: readonly Stage[] = [
  { kind: "pglite", lanes: KILLS === 0 ? 2 : 5, threadsIn: () => 0 },
  // Mostly as `npm start` runs there.
  { kind: "postgres", lanes: KILLS === 0 ? 3 : 5, threadsIn: (lane) => (lane % 2 === 0 ? 1 : 0) },
];

const table = new KillTable(WORK_FAILPOINTS, {
  seed: SEED,
  file: process.env["TROUPE_CRASH_REPORT"],
});
let replays: Replays;

beforeAll(async () => {
  replays = await openReplays();
});

afterAll(async () => {
  await replays[Symbol.asyncDispose]();
  table.print();
  table.write();
});

describe.each(stages)("a process on $kind", ({ kind, lanes: laneCount, threadsIn }) => {
  const plan = planDeaths({
    ...deathsOf(kind),
    lanes: laneCount,
    chapters: CHAPTERS,
    random: seededRandom(SEED),
  });
  const ends = chapterEnds(plan);
  let template: CrashTemplate;

  beforeAll(async () => {
    template = await seededTemplate(kind, { shardSize: SHARD_SIZE, hardCases: true });
  });

  afterAll(() => template[Symbol.asyncDispose]());

  test(
    "killed at every failpoint and at any moment, it ends with the rows of an undisturbed life",
    async ({ signal }) => {
      await using quiet = await template.copy();
      const undisturbed = new Lifetime(quiet, { table, signal, threads: 0 });
      await live(
        undisturbed,
        ends.map(() => ({ boot: [], work: [], control: [], leave: [] })),
        ends,
      );
      expectEventful(await undisturbed.history(), ends);
      const lanes = plan.map((deaths, lane) => ({ deaths, threads: threadsIn(lane) }));
      await sideBySide(lanes, signal, async ({ deaths, threads }, lane) => {
        await using store = await template.copy();
        const lifetime = new Lifetime(store, { table, signal: lane, threads });
        await live(lifetime, deaths, ends);
        await lifetime.expectSameRows(undisturbed);
      });
    },
    600_000 + KILLS * 20_000,
  );

  // One database is enough for the short version.
  test.runIf(KILLS > 0 || kind === "pglite")(
    "npm start, killed with its API up and started again, ends with the rows of one that was not",
    async ({ signal }) => {
      const replay = await replays.ofTicks(PROGRAM_TICKS);
      await using quiet = await template.copy();
      const undisturbed = new ProgramLife(quiet, table, { replay, signal });
      await playAsProgram(undisturbed, []);
      await using store = await template.copy();
      const life = new ProgramLife(store, table, { replay, signal });
      await playAsProgram(life, KILLS > 0 ? PROGRAM_DEATHS : PROGRAM_DEATHS.slice(0, 1));
      await life.expectSameRows(undisturbed);
    },
    600_000 + KILLS * 5_000,
  );
});

/** When one lane fails, or the test's time is up, the others end too, and are waited for. */
async function sideBySide<T>(
  lanes: readonly T[],
  signal: AbortSignal,
  work: (lane: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await Promise.allSettled(
    lanes.map((lane) =>
      work(lane, either).catch((error: unknown) => {
        failed.abort(error);
      }),
    ),
  );
  either.throwIfAborted();
}

async function playAsProgram(life: ProgramLife, deaths: readonly (Kill | Unforeseen)[]) {
  const stop = { name: COMMANDED, commandId: "0c9f6b52-6b0c-4f0e-8d8a-3a5d0f8b7e42" };
  for (const death of deaths) await life.die(death);
  if (KILLS > 0 && deaths.length > 0) await life.dieOverStop(stop);
  await life.finish(stop);
}

async function live(
  lifetime: Lifetime,
  deaths: readonly Chapter[],
  ends: readonly number[],
): Promise<void> {
  for (const [chapter, { boot, work, control, leave }] of deaths.entries()) {
    const replay = await replays.ofTicks(ends[chapter] ?? 0);
    const orders = ordersOf(chapter);
    for (const death of [...boot, ...work, ...control, ...leave]) {
      await lifetime.die(death, orders, replay);
    }
    await lifetime.finish(orders, replay);
  }
}

/** Its chapters stop a strategy and resume it, by turns. */
function ordersOf(chapter: number): Orders {
  const commandId = `5b0f6c1e-7f0a-4c55-9f0e-${String(chapter).padStart(12, "0")}`;
  const wish = chapter % 2 === 0 ? "stop" : "resume";
  return { mode: "run", control: { wish, name: COMMANDED, commandId } };
}

function deathsOf(kind: StoreKind) {
  if (KILLS === 0) {
    const own = kind === "pglite" ? 0 : 2;
    return {
      failpoints: WORK_FAILPOINTS.filter((_, index) => index % 4 === own),
      each: 1,
      later: 0,
    };
  }
  const each = Math.max(1, Math.floor((KILLS * AT_BOUNDARIES) / WORK_FAILPOINTS.length));
  const later = Math.max(0, KILLS - each * WORK_FAILPOINTS.length);
  return { failpoints: WORK_FAILPOINTS, each, later };
}

/** That life must be worth comparing with: everybody trades, some are refused, one is commanded. */
function expectEventful(
  history: Awaited<ReturnType<Lifetime["history"]>>,
  ends: readonly number[],
) {
  const rows = (name: string) => (history[name] ?? []).map((row) => JSON.parse(row));
  expect(rows("ticks")).toHaveLength(CAST.definitions * (ends.at(-1) ?? 0));
  const states = rows("strategies").map(({ state }) => state);
  expect(states).toEqual(Array(CAST.strategies).fill("cancelled"));
  const causes = rows("strategy_compose_cycles").map(({ cause, status }) => `${cause} ${status}`);
  // How many kills there are decides on which days somebody is stopped.
  const hint = "with nothing to sell at any stop, choose another TROUPE_CRASH_KILLS";
  const told = new Set(["tick completed", "tick failed", "stop completed"]);
  expect(new Set(causes), hint).toEqual(told);
  const legs = rows("strategy_details").map(({ kind, type }) => `${kind} ${type}`);
  expect(legs).toEqual(expect.arrayContaining(["open LONG", "close LONG", "open SHORT"]));
}
