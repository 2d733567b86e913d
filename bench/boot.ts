import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import type { Place } from "./stage.ts";

/** How a process leaves the database: after a stop the next one resumes every strategy, by a commit. */
export const left = z.enum(["stop", "crash"]);
export type Left = z.infer<typeof left>;

const measure = z.object({
  after: left,
  strategies: z.number(),
  /** One statement that reads the same rows, ms. */
  readMs: z.number(),
  /** From nothing in memory until the first tick can run, ms. */
  bootMs: z.number(),
  /** Heap of all restored strategies, bytes. */
  heapBytes: z.number(),
  /** The same after some ticks; null where none were run. */
  steadyHeapBytes: z.number().nullable(),
});

export type BootMeasure = z.infer<typeof measure>;

const CHILD = fileURLToPath(new URL("boot-child.ts", import.meta.url));
const LEAVES: readonly Left[] = ["stop", "stop", "crash", "crash", "crash", "stop"];
const TICKS_OF_LAST = 3;

/** Starts the engine again and again in a fresh process on a database that was left by a stop. */
export async function measureBoots(place: Place, startAt: number): Promise<BootMeasure[]> {
  const boots: BootMeasure[] = [];
  let after: Left = "stop";
  for (const [boot, leave] of LEAVES.entries()) {
    const ticks = boot === LEAVES.length - 1 ? TICKS_OF_LAST : 0;
    boots.push(await measureBoot({ place, startAt, ticks, after, leave }));
    after = leave;
  }
  return boots;
}

async function measureBoot(argument: object): Promise<BootMeasure> {
  const args = ["--max-semi-space-size=64", "--expose-gc", CHILD, JSON.stringify(argument)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return measure.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}
