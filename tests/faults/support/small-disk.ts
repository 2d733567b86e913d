import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Only root may mount; elsewhere a disk cannot be made to run full without harm. */
export const CAN_MOUNT = process.platform === "linux" && process.getuid?.() === 0;

/** A disk of its own in memory, which a test can fill. */
export interface SmallDisk extends AsyncDisposable {
  folder: string;
  /** Takes every byte that is left, or all but so many megabytes. */
  fill(leftMegabytes?: number): void;
  makeRoom(): void;
}

export async function mountSmallDisk(megabytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "troupe", folder]);
  const filler = join(folder, "filler");
  return {
    folder,
    fill: (leftMegabytes = 0) => fillWith(filler, leftMegabytes * 1_000_000),
    makeRoom: () => rmSync(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      execFileSync("umount", ["--lazy", folder]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function fillWith(path: string, left: number): void {
  const file = openSync(path, "w");
  const block = Buffer.alloc(4096);
  const free = () => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  try {
    while (free() > left) writeSync(file, block);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    closeSync(file);
  }
}
