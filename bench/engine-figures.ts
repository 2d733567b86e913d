import { z } from "zod";

/** What an engine in a process of its own did since it last told. */
export const engineFigures = z.object({
  cycles: z.number(),
  shardJobs: z.number(),
  /** Of these jobs, how many found members that had to be read anew, and how long that took. */
  restores: z.number(),
  restoreMs: z.number(),
  /** Of the last commit, as time of day. */
  lastCommitAt: z.number(),
  cpuMicroseconds: z.number(),
});

export type EngineFigures = z.infer<typeof engineFigures>;
