import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import type { Place } from "./stage.ts";

const measure = z.object({
  strategies: z.number(),
  /** One statement that reads the same rows, ms. */
  readMs: z.number(),
  /** From nothing in memory until the first tick can run, ms. */
  bootMs: z.number(),
  /** Heap of all restored strategies, bytes. */
  heapBytes: z.number(),
});

export type BootMeasure = z.infer<typeof measure>;

const CHILD = fileURLToPath(new URL("boot-child.ts", import.meta.url));

/** Starts the engine in a fresh process on a database nobody has open. */
export async function measureBoot(place: Place, startAt: number): Promise<BootMeasure> {
  const args = ["--expose-gc", CHILD, JSON.stringify(place), String(startAt)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return measure.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}
