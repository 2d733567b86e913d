// Which process dies where: every failpoint so many times, and some at moments nobody chose, dealt out
// to lifetimes that run side by side and to the chapters of each.
import { WORK_FAILPOINTS } from "#ports/failpoints.ts";

type WorkFailpoint = (typeof WORK_FAILPOINTS)[number];

/** A death of its own hand, at a failpoint. */
export interface Kill {
  failpoint: WorkFailpoint;
  /** Counted from the start of the process. */
  occurrence: number;
}

/** A death from outside, some time after the process has restored its actors or begun to work. */
export interface Later {
  after: "restored" | "worked";
  ms: number;
}

/**
 * Some days of the replay, then a command of a user, then a planned shutdown. A chapter begins with
 * strategies that the shutdown before left cancelled.
 */
export interface Chapter {
  boot: Kill[];
  work: (Kill | Later)[];
  control: Kill[];
  leave: Kill[];
}

/** The cast of these tests: three definitions, sixteen strategies, in shards of at most four. */
export const CAST = { definitions: 3, shards: 5, strategies: 16 } as const;
export const SHARD_SIZE = 4;

const PER_DAY = {
  definition: CAST.definitions,
  shard: CAST.shards,
  strategy: CAST.strategies,
  /** A shard that settled while its definition waits for another. */
  sibling: 2,
  once: 1,
} as const;

interface Passing {
  scene: keyof Chapter;
  /** How often it is passed on one day of the replay, or in its scene. */
  times: keyof typeof PER_DAY;
}

const at = (scene: Passing["scene"], times: Passing["times"]): Passing => ({ scene, times });

const PASSINGS: Readonly<Record<WorkFailpoint, Passing>> = {
  "boot.shard-restored": at("boot", "shard"),
  "boot.resumed": at("boot", "once"),
  "tick.before-propose": at("work", "definition"),
  "tick.in-propose": at("work", "definition"),
  "tick.after-propose": at("work", "definition"),
  "tick.before-analysis": at("work", "definition"),
  "tick.analysed": at("work", "definition"),
  "tick.in-commit.agent-runs-written": at("work", "definition"),
  "tick.in-commit.messages-sent": at("work", "definition"),
  "tick.after-commit": at("work", "definition"),
  "fanout.shard-taken": at("work", "shard"),
  "fanout.half-done": at("work", "sibling"),
  "decision.before": at("work", "strategy"),
  "decision.after": at("work", "strategy"),
  "journal.before-commit": at("work", "shard"),
  "journal.in-commit.claim-confirmed": at("work", "shard"),
  "journal.in-commit.version-moved": at("work", "shard"),
  "journal.in-commit.members-written": at("work", "shard"),
  "journal.in-commit.counts-corrected": at("work", "once"),
  "journal.in-commit.all-written": at("work", "shard"),
  "journal.after-commit": at("work", "shard"),
  "actor.before-step": at("work", "shard"),
  "actor.after-step": at("work", "shard"),
  "tick.before-close": at("work", "definition"),
  "tick.after-close": at("work", "definition"),
  "control.before-request": at("control", "once"),
  "control.in-request.wish-written": at("control", "once"),
  "control.in-request.message-sent": at("control", "once"),
  "control.after-request": at("control", "once"),
  "stop.before-commit": at("control", "once"),
  "stop.after-commit": at("control", "once"),
  "shutdown.begun": at("leave", "once"),
  "shutdown.drained": at("leave", "once"),
  "shutdown.shard-cancelled": at("leave", "shard"),
};

/** The day that was interrupted and a whole one; a refused row comes every second day. */
const DAYS_PER_KILL = 2;
/** Of replay at fifty ticks a second, and some on top. */
const DAYS_PER_LATER = 8;
const SPARE_DAYS = 4;

export interface PlanOptions {
  /** Those to die at. */
  failpoints: readonly WorkFailpoint[];
  /** Deaths at each of them. */
  each: number;
  /** Deaths at no chosen moment. */
  later: number;
  lanes: number;
  chapters: number;
  random: () => number;
}

/** The chapters of each lane; every death has a place. */
export function planDeaths(options: PlanOptions): Chapter[][] {
  const { failpoints, each, later, lanes, chapters, random } = options;
  const plan = Array.from({ length: lanes }, () =>
    Array.from({ length: chapters }, (): Chapter => ({
      boot: [],
      work: [],
      control: [],
      leave: [],
    })),
  );
  const all = Array.from({ length: chapters }, (_, chapter) =>
    plan.flatMap((lane) => lane[chapter] ?? []),
  );
  const everywhere = all.flat();
  // What a start resumes is there from the second chapter on.
  const afterShutdown = all.slice(1).flat();
  const dealt = { boot: 0, work: 0, control: 0, leave: 0 };
  const next = (scene: keyof Chapter): Chapter => {
    const places = scene === "boot" ? afterShutdown : everywhere;
    const place = places[dealt[scene] % places.length];
    dealt[scene] += 1;
    if (place === undefined) throw new Error("a plan needs a lane and two chapters");
    return place;
  };
  for (const failpoint of WORK_FAILPOINTS.filter((name) => failpoints.includes(name))) {
    const { scene, times } = PASSINGS[failpoint];
    for (let death = 0; death < each; death += 1) {
      const occurrence = 1 + Math.floor(random() * PER_DAY[times]);
      next(scene)[scene].push({ failpoint, occurrence });
    }
  }
  for (let death = 0; death < later; death += 1) {
    // While it waits for the dead one's work, or in the midst of its own.
    const after = random() < 0.5 ? "restored" : "worked";
    next("work").work.push({ after, ms: Math.floor(random() * 120) });
  }
  for (const chapter of everywhere) shuffle(chapter.work, random);
  return plan;
}

/** Days of the replay until the end of each chapter, enough for the deaths of any lane. */
export function chapterEnds(plan: readonly (readonly Chapter[])[]): number[] {
  const lengths = (plan[0] ?? []).map((_, chapter) =>
    Math.max(...plan.map((lane) => SPARE_DAYS + daysOf(lane[chapter]?.work ?? []))),
  );
  return lengths.map((_, chapter) =>
    lengths.slice(0, chapter + 1).reduce((sum, days) => sum + days, 0),
  );
}

function daysOf(deaths: Chapter["work"]): number {
  return deaths.reduce(
    (sum, death) => sum + ("failpoint" in death ? DAYS_PER_KILL : DAYS_PER_LATER),
    0,
  );
}

function shuffle<T>(items: T[], random: () => number): void {
  const keyed = items.map((item) => ({ item, key: random() }));
  const inOrder = keyed.toSorted((one, other) => one.key - other.key);
  items.splice(0, items.length, ...inOrder.map(({ item }) => item));
}
