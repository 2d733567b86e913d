import { randomUUID } from "node:crypto";
import { lstat, mkdir, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DomainError, errorMessage, InvalidInputError } from "#domain/errors.ts";

/**
 * Makes the folder and those above it where they are missing; returns those it made, outermost first.
 * One by one, for Node's own recursive mkdir never ends below /proc.
 * @throws InvalidInputError INVALID_CONFIG naming what is in the way
 */
export async function makeFolder(folder: string): Promise<string[]> {
  return told(folder, async () => {
    const missing: string[] = [];
    for (let path = resolve(folder); !(await isFolder(path)); path = dirname(path)) {
      missing.unshift(path);
    }
    for (const path of missing) await mkdirOnce(path);
    return missing;
  });
}

/** Whether the folder could be used, found out by trying; nothing is left behind. */
export async function tryFolder(folder: string): Promise<void> {
  const made = await makeFolder(folder);
  try {
    await told(folder, async () => {
      const probe = join(folder, `.probe-${randomUUID()}`);
      await writeFile(probe, "");
      await rm(probe);
    });
  } finally {
    for (const path of made.toReversed()) await rmdir(path).catch(() => undefined);
  }
}

/** Runs `work` on the data folder; what the file system refuses is said with what to do. */
export async function told<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unusable(folder, errorMessage(error), error);
  }
}

export function unusable(folder: string, why: string, cause?: unknown): InvalidInputError {
  const message =
    `data folder ${folder} cannot be used: ${why}; ` +
    "set TROUPE_DATA_DIR to a folder this user may write to";
  return new InvalidInputError("INVALID_CONFIG", message, { cause });
}

/** False where nothing is. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    if (!(await isLink(path))) return false;
    throw unusable(path, "it is a link that leads nowhere", error);
  }
  throw unusable(path, "it is a file, not a folder");
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch {
    return false;
  }
}

async function mkdirOnce(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!(await isFolder(path))) throw error;
  }
}
