// PGlite takes no lock on its folder: a second process would open it too, and lose without a word
// everything it then writes. So one process at a time, held by a file that names it.
import { randomUUID } from "node:crypto";
import { link, lstat, readFile, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { DomainError } from "#domain/errors.ts";
import { makeFolder, told, unusable } from "./data-folder.ts";

const holderSchema = z.object({
  pid: z.number().int().positive(),
  /** Tells this process from a later one with the same pid; null where the system does not say. */
  started: z.string().nullable(),
  host: z.string(),
  since: z.string(),
  owner: z.string(),
});

type Holder = z.infer<typeof holderSchema>;

/** How long a holder that was just killed may take to disappear. */
const DYING_MS = 2_000;
const RETRY_MS = 50;

export interface FolderLock extends AsyncDisposable {
  release(): Promise<void>;
}

/**
 * Takes the folder for this process, creating it if need be. A lock whose process is dead is taken
 * over; one of a process that lives, even frozen, or that cannot be looked at, never is. It is waited
 * for a moment, since a process may die a little later than it was killed.
 * @throws DomainError DATA_FOLDER_TAKEN, InvalidInputError INVALID_CONFIG
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(resolve(folder), "troupe.lock");
  await makeFolder(folder);
  const me = JSON.stringify(await describeThisProcess());
  await told(resolve(folder), () => take(path, me, resolve(folder)));
  const release = () => removeIf(path, me);
  return { release, [Symbol.asyncDispose]: release };
}

async function take(path: string, me: string, folder: string): Promise<void> {
  const deadline = performance.now() + DYING_MS;
  while (!(await create(path, me))) {
    const found = await read(path);
    if (found === null) continue;
    const holder = parseHolder(found);
    if (holder !== null && (await mayLive(holder))) {
      if (!canEndSoon(holder) || performance.now() >= deadline) {
        throw taken(folder, path, holder);
      }
      await sleep(RETRY_MS);
      continue;
    }
    // Two processes may find the same dead lock; without this, the slower one would remove the
    // lock which the faster one has just put in its place.
    const takeover = `${path}.takeover`;
    await take(takeover, me, folder);
    try {
      await removeIf(path, found);
    } finally {
      await removeIf(takeover, me);
    }
  }
}

/** False when the file exists. Linked into place, so that nobody ever reads half of it. */
async function create(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function read(path: string): Promise<string | null> {
  try {
    // A link that leads nowhere is there for whoever makes a file and not for whoever reads it.
    if ((await lstat(path)).isFile()) return await readFile(path, "utf8");
    throw unusable(dirname(path), `its lock ${path} is no file; remove it`);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

async function removeIf(path: string, text: string): Promise<void> {
  if ((await read(path)) === text) await unlink(path);
}

/** Null for what no process of ours wrote: a power cut may leave the file empty. */
function parseHolder(text: string): Holder | null {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

async function describeThisProcess(): Promise<Holder> {
  const { pid } = process;
  const since = new Date().toISOString();
  const started = (await statusOf(pid))?.started ?? null;
  return { pid, started, host: hostname(), since, owner: randomUUID() };
}

async function mayLive(holder: Holder): Promise<boolean> {
  // E.g. another container over the same volume: its processes cannot be seen from here.
  if (holder.host !== hostname()) return true;
  if (!isRunning(holder.pid)) return false;
  const found = await statusOf(holder.pid);
  if (found === null || holder.started === null) return true;
  // A zombie has run its last instruction, though signals still find it.
  return found.started === holder.started && !/[ZX]/.test(found.state);
}

/** This process will not end while it asks, and of another host's nothing can be seen. */
function canEndSoon(holder: Holder): boolean {
  return holder.host === hostname() && holder.pid !== process.pid;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

interface ProcessStatus {
  /** The boot of the machine and the clock tick of the process's start. */
  started: string;
  /** One letter, see proc(5). */
  state: string;
}

/** On Linux; null elsewhere and for a process that is gone. */
async function statusOf(pid: number): Promise<ProcessStatus | null> {
  try {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, may contain spaces and brackets; the third is the state, the
    // 22nd the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined) return null;
    return { started: `${boot.trim()}/${ticks}`, state };
  } catch {
    return null;
  }
}

function taken(folder: string, path: string, holder: Holder): DomainError {
  const { pid, since, host } = holder;
  const message =
    host === hostname()
      ? `data folder ${folder} is taken by process ${pid} since ${since}; ` +
        "stop it or set TROUPE_DATA_DIR to another folder"
      : `data folder ${folder} is taken by process ${pid} of host ${host} since ${since}; ` +
        `stop it, set TROUPE_DATA_DIR to another folder, or remove ${path} if that host is gone`;
  return new DomainError("DATA_FOLDER_TAKEN", message, { details: { folder, pid, host, since } });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
