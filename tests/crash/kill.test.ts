import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Boundary } from "#ports/boundaries.ts";
import { differences, type History } from "#support/invariants.ts";
import { seededRandom } from "#support/random.ts";
import { seededTemplate, type CrashTemplate, type StoreKind } from "./support/crash-stores.ts";
import { type Kill, Lifetime } from "./support/lifetime.ts";
import { openReplays, type Replays } from "./support/replays.ts";

// Two definitions with six strategies each, in shards of four: four shards, one of them half empty.
const SHARD_SIZE = 4;
const PER_DAY = { definition: 2, shard: 4, strategy: 12, once: 1 } as const;

/** How often a boundary is passed on one replayed day. */
const FREQUENCY = {
  "tick.before-propose": "definition",
  "tick.after-propose": "definition",
  "tick.before-analysis": "definition",
  "tick.analysed": "definition",
  "tick.after-commit": "definition",
  "fanout.shard-taken": "shard",
  "decision.before": "strategy",
  "decision.after": "strategy",
  "journal.before-commit": "shard",
  "journal.after-commit": "shard",
  "actor.before-step": "shard",
  "actor.after-step": "shard",
  "tick.before-close": "definition",
  "tick.after-close": "definition",
  "stop.before-commit": "once",
  "stop.after-commit": "once",
  "shutdown.begun": "once",
} as const satisfies Partial<Record<Boundary, keyof typeof PER_DAY>>;

type Killed = keyof typeof FREQUENCY;
const ALL = Object.keys(FREQUENCY).filter((name): name is Killed => name in FREQUENCY);
const AT_THE_STOP: readonly Killed[] = ["stop.before-commit", "stop.after-commit"];
const AT_THE_END: readonly Killed[] = ["shutdown.begun"];
const AT_WORK = ALL.filter((name) => ![...AT_THE_STOP, ...AT_THE_END].includes(name));

/** Half way a strategy with open positions is stopped and closes them; then the others go on. */
const STOP = { name: "Eager", commandId: "5b0f6c1e-7f0a-4c55-9f0e-0d6d9a1c7f11" };
const TICKS_BEFORE_STOP = 9;
const TICKS = 18;

/** Differ when a kill hits a shutdown: what it had marked cancelled is resumed, and marked again. */
const PER_BOOT = ["seq", "version"];

const SEED = Number(process.env["TROUPE_CRASH_SEED"] ?? 20_261_121);
/** For the long version: how often the process is killed on each database, beyond once per boundary. */
const MANY = Number(process.env["TROUPE_CRASH_KILLS"] ?? 0);

// Where nodes share a database a dead one's work waits for its heartbeat: two seconds here, which
// several lifetimes can wait for side by side.
const stores: readonly (readonly [StoreKind, number])[] = [
  ["pglite", 1],
  ["postgres", 5],
];

describe.each(stores)("a process on %s", (kind, lanes) => {
  let template: CrashTemplate;
  let replays: Replays;
  let reference: History;

  beforeAll(async () => {
    replays = await openReplays();
    template = await seededTemplate(kind, SHARD_SIZE);
    await using store = await template.copy();
    const undisturbed = new Lifetime(store);
    await live(undisturbed, replays, { early: [], stop: [], late: [], end: [] });
    reference = await undisturbed.history();
  });

  afterAll(async () => {
    await template[Symbol.asyncDispose]();
    await replays[Symbol.asyncDispose]();
  });

  test("an undisturbed life trades, stops one strategy and leaves the others cancelled", () => {
    const states = (reference["strategies"] ?? []).map((row) => String(JSON.parse(row).state));
    expect(states.filter((state) => state === "cancelled")).toHaveLength(11);
    expect(states.filter((state) => state === "stopped")).toHaveLength(1);
    expect(reference["strategy_compose_cycles"]).toHaveLength(
      12 * TICKS - (TICKS - TICKS_BEFORE_STOP) + 1,
    );
    expect(reference["strategy_details"]?.length).toBeGreaterThan(10);
    expect(reference["alerts"]).toEqual([]);
  });

  test("killed at every boundary and started again, it ends with the rows of an undisturbed life", async () => {
    const random = seededRandom(SEED);
    const plans = plan(lanes, random);
    await Promise.all(
      plans.map(async (deaths) => {
        await using store = await template.copy();
        const lifetime = new Lifetime(store);
        await live(lifetime, replays, deaths);
        expect(differences(reference, await lifetime.history())).toEqual([]);
      }),
    );
    print(
      kind,
      plans.flatMap(({ early, stop, late, end }) =>
        [...early, ...stop, ...late, ...end].map(({ boundary }) => boundary),
      ),
    );
  });

  test.runIf(MANY > 0)(
    "killed again and again, at boundaries and at any moment, it ends with the rows of a life without",
    async () => {
      const each = Math.ceil(MANY / lanes);
      const replay = await replays.ofTicks(Math.min(5 * each + TICKS, 1000));
      await using quiet = await template.copy();
      const undisturbed = new Lifetime(quiet);
      await undisturbed.finish({ mode: "run" }, replay);
      const expected = await undisturbed.history(PER_BOOT);
      const deaths = await Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          await using store = await template.copy();
          const lifetime = new Lifetime(store);
          const died = await dieOften(lifetime, { times: each, seed: SEED + lane, replay });
          await lifetime.finish({ mode: "run" }, replay);
          expect(differences(expected, await lifetime.history(PER_BOOT))).toEqual([]);
          return died.map((where, index) =>
            (lifetime.openAtStart[index + 1] ?? 0) > 0 ? `${where} *` : where,
          );
        }),
      );
      print(
        kind,
        deaths.flat().toSorted((one, other) => one.localeCompare(other)),
      );
    },
    MANY * 60_000,
  );
});

/** Half of the deaths at a boundary, half of them whenever. Returns where, one per process. */
async function dieOften(
  lifetime: Lifetime,
  { times, seed, replay }: { times: number; seed: number; replay: string },
): Promise<string[]> {
  const random = seededRandom(seed);
  const died: string[] = [];
  for (let process = 0; process < times; process += 1) {
    if (random() < 0.5) {
      const boundary = AT_WORK[Math.floor(random() * AT_WORK.length)] ?? "tick.after-commit";
      await lifetime.dieAt(killAt(boundary, random), { mode: "run" }, replay);
      died.push(boundary);
    } else {
      // While it waits for the dead one's work, or in the midst of its own.
      const after = random() < 0.5 ? "restored" : "worked";
      const later = { after, ms: Math.floor(random() * 120) } as const;
      const isDead = await lifetime.dieLater(later, { mode: "run" }, replay);
      died.push(isDead ? `at any moment once ${after}` : "too late, it was done");
    }
  }
  return died;
}

interface Deaths {
  /** Before the stop, at it, after it, and while leaving. */
  early: Kill[];
  stop: Kill[];
  late: Kill[];
  end: Kill[];
}

async function live(lifetime: Lifetime, replays: Replays, deaths: Deaths): Promise<void> {
  const [half, whole] = [await replays.ofTicks(TICKS_BEFORE_STOP), await replays.ofTicks(TICKS)];
  const run = { mode: "run" } as const;
  for (const kill of deaths.early) await lifetime.dieAt(kill, run, half);
  await lifetime.finish(run, half);
  for (const kill of deaths.stop) await lifetime.dieAt(kill, { ...run, stop: STOP }, half);
  await lifetime.finish({ ...run, stop: STOP }, half);
  for (const kill of deaths.late) await lifetime.dieAt(kill, run, whole);
  for (const kill of deaths.end) await lifetime.dieAt(kill, run, whole);
  await lifetime.finish(run, whole);
}

/** Every boundary once, dealt out to so many lifetimes. */
function plan(lanes: number, random: () => number): Deaths[] {
  const plans = Array.from({ length: lanes }, (): Deaths => ({
    early: [],
    stop: [],
    late: [],
    end: [],
  }));
  AT_WORK.forEach((boundary, index) => {
    const deaths = plans[index % lanes];
    const round = Math.floor(index / lanes);
    deaths?.[round % 2 === 0 ? "early" : "late"].push(killAt(boundary, random));
  });
  plans.at(-1)?.stop.push(...AT_THE_STOP.map((boundary) => killAt(boundary, random)));
  plans.at(-1)?.end.push(...AT_THE_END.map((boundary) => killAt(boundary, random)));
  return plans;
}

function killAt(boundary: Killed, random: () => number): Kill {
  const most = PER_DAY[FREQUENCY[boundary]];
  return { boundary, occurrence: 1 + Math.floor(random() * most) };
}

/** One line per boundary: how often a process died there and was followed by one that went on. */
function print(kind: StoreKind, deaths: readonly string[]): void {
  const rows = [...new Set(deaths)].map((boundary) => {
    const times = deaths.filter((death) => death === boundary).length;
    return `  ${boundary.padEnd(30)} ${kind.padEnd(9)} ${String(times).padStart(4)}   recovered`;
  });
  // A star: it left a tick under way.
  const head = `  ${"boundary".padEnd(30)} ${"database".padEnd(9)} kills  outcome`;
  process.stdout.write(
    `killed ${deaths.length} times, seed ${SEED}\n${[head, ...rows].join("\n")}\n`,
  );
}
