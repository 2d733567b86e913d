import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { lockFolder } from "#adapters/folder-lock.ts";

let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-lock-"));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

test("a folder that another process holds is refused, with its pid and since when", async () => {
  const holder = await startHolder();
  const since = String((await readLock())["since"]);
  await expect(lockFolder(folder)).rejects.toMatchObject({
    code: "DATA_FOLDER_TAKEN",
    message:
      `data folder ${folder} is taken by process ${holder.child.pid} since ${since}; ` +
      "stop it or set TROUPE_DATA_DIR to another folder",
  });
});

test("the same process cannot take a folder twice", async () => {
  await using _held = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: "DATA_FOLDER_TAKEN" });
});

test("a folder that does not exist yet is created", async () => {
  await using _held = await lockFolder(join(folder, "new", "data"));
  expect(await readdir(join(folder, "new", "data"))).toEqual(["troupe.lock"]);
});

test("a released folder can be taken, and nothing is left behind", async () => {
  const holder = await startHolder();
  holder.child.kill("SIGTERM");
  await once(holder.child, "exit");
  expect(await readdir(folder)).toEqual([]);
  await using _held = await lockFolder(folder);
});

test("the lock of a killed process is taken over", async () => {
  const holder = await startHolder();
  holder.child.kill("SIGKILL");
  await once(holder.child, "exit");
  await using _held = await lockFolder(folder);
  expect(await readLock()).toMatchObject({ pid: process.pid });
  expect(await readdir(folder)).toEqual(["troupe.lock"]);
});

test("a process that was killed and not yet waited for is dead", async () => {
  // The shell turns into a program that never asks after its child: killed, that stays a zombie.
  const parent = spawn(
    "sh",
    [
      "-c",
      '"$1" --input-type=module --eval "$0" & exec sleep 60',
      holderProgram(),
      process.execPath,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(parent);
  await once(createInterface(parent.stdout), "line");
  const pid = Number((await readLock())["pid"]);
  process.kill(pid, "SIGKILL");
  await vi.waitFor(async () =>
    expect(await readFile(`/proc/${pid}/stat`, "utf8")).toContain(") Z"),
  );
  await using _held = await lockFolder(folder);
  expect(await readLock()).toMatchObject({ pid: process.pid });
});

test("a holder that ends within a moment is waited for", async () => {
  const holder = await startHolder();
  const taking = lockFolder(folder);
  holder.child.kill("SIGTERM");
  await using _held = await taking;
  expect(await readLock()).toMatchObject({ pid: process.pid });
});

test("a frozen process keeps its lock", async () => {
  const holder = await startHolder();
  holder.child.kill("SIGSTOP");
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: "DATA_FOLDER_TAKEN" });
});

test("a later process with the pid of a dead holder does not keep its lock alive", async () => {
  const { pid } = (await startHolder()).child;
  await writeLock({ ...(await readLock()), pid, started: "an earlier boot/4711" });
  await using _held = await lockFolder(folder);
  expect(await readLock()).toMatchObject({ pid: process.pid });
});

test("the lock of another host is not taken over, since its processes cannot be seen", async () => {
  const deadHere = 2 ** 22 + 1;
  await startHolder();
  await writeLock({ ...(await readLock()), pid: deadHere, host: "elsewhere" });
  await expect(lockFolder(folder)).rejects.toThrow(/of host elsewhere .* or remove .*troupe\.lock/);
});

test("a lock file that a power cut left empty is taken over", async () => {
  await writeFile(join(folder, "troupe.lock"), "");
  await using _held = await lockFolder(folder);
});

test("a takeover that was killed half way does not block the next one", async () => {
  const holder = await startHolder();
  holder.child.kill("SIGKILL");
  await once(holder.child, "exit");
  const dead = await readFile(join(folder, "troupe.lock"), "utf8");
  await writeFile(join(folder, "troupe.lock.takeover"), dead);
  await using _held = await lockFolder(folder);
  expect(await readdir(folder)).toEqual(["troupe.lock"]);
});

test("of many processes that find a dead lock at once exactly one takes it", async () => {
  const dead = await startHolder();
  dead.child.kill("SIGKILL");
  await once(dead.child, "exit");
  const answers = await Promise.all(Array.from({ length: 6 }, () => spawnHolder().answer));
  expect(answers.toSorted()).toEqual([...Array(5).fill("DATA_FOLDER_TAKEN"), "locked"]);
});

test("a release leaves a lock alone that is no longer its own", async () => {
  const held = await lockFolder(folder);
  await writeLock({ ...(await readLock()), owner: "somebody else" });
  await held.release();
  expect(await readLock()).toMatchObject({ owner: "somebody else" });
});

async function startHolder() {
  const holder = spawnHolder();
  expect(await holder.answer).toBe("locked");
  return holder;
}

/** A process that locks the folder, says how that went, and releases it at SIGTERM. */
function spawnHolder() {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", holderProgram()], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const answer = once(createInterface(child.stdout), "line").then(([line]) => String(line));
  return { child, answer };
}

function holderProgram(): string {
  const lockUrl = new URL("../../../src/adapters/folder-lock.ts", import.meta.url).href;
  return `
    const { lockFolder } = await import(${JSON.stringify(lockUrl)});
    try {
      const lock = await lockFolder(${JSON.stringify(folder)});
      process.once("SIGTERM", () => void lock.release().then(() => process.exit(0)));
      setInterval(() => {}, 60_000);
      console.log("locked");
    } catch (error) {
      console.log(error.code);
    }`;
}

async function readLock(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, "troupe.lock"), "utf8"));
}

async function writeLock(content: Record<string, unknown>): Promise<void> {
  await writeFile(join(folder, "troupe.lock"), JSON.stringify(content));
}
