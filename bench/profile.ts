import { mkdir, writeFile } from "node:fs/promises";
import type { Profiler } from "node:inspector";
import { Session } from "node:inspector/promises";
import { join } from "node:path";

/** Profiles this process between `start` and `stop`, any number of times: one file each. */
export interface CpuProfile {
  start(): Promise<void>;
  stop(): Promise<Profiler.Profile>;
}

export async function createCpuProfile(folder: string, name: string): Promise<CpuProfile> {
  await mkdir(folder, { recursive: true });
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  let number = 0;
  return {
    start: () => session.post("Profiler.start"),
    async stop() {
      const { profile } = await session.post("Profiler.stop");
      number += 1;
      await writeFile(join(folder, `${name}-${number}.cpuprofile`), JSON.stringify(profile));
      return profile;
    },
  };
}
