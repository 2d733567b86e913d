import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeFolder, tryFolder } from "#adapters/data-folder.ts";
import { lockFolder } from "#adapters/folder-lock.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "troupe-folder-"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

describe("a data folder that cannot be used", () => {
  const forms: [string, () => Promise<string>, RegExp][] = [
    ["a device", async () => "/dev/null", /it is a file, not a folder/],
    ["a file", () => file("file"), /it is a file, not a folder/],
    ["below a file", async () => join(await file("file"), "data"), /ENOTDIR/],
    ["a link that leads nowhere", () => link("link"), /a link that leads nowhere/],
    ["below a link that leads nowhere", async () => join(await link("link"), "x"), /leads nowhere/],
    ["links in a circle", async () => circle(), /ELOOP/],
    ["a name that is too long", async () => join(root, "n".repeat(300)), /ENAMETOOLONG/],
    ["one whose lock is a link that leads nowhere", () => lock("link"), /troupe\.lock is no file/],
    ["one whose lock is a folder", () => lock("folder"), /troupe\.lock is no file/],
  ];
  test.for(forms)("%s is told by its name, with what to do", async ([, make, why]) => {
    await expectRefused(await make(), why);
  });

  test.runIf(process.platform === "linux")("below /proc it is told as well", async () => {
    await expectRefused("/proc/troupe/data", /ENOENT/);
  });

  test.runIf(process.getuid?.() !== 0)("one without the right to write is told", async () => {
    await chmod(root, 0o500);
    await expectRefused(root, /EACCES/);
    await chmod(root, 0o700);
  });

  async function expectRefused(folder: string, why: RegExp): Promise<void> {
    await expect(lockFolder(folder)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(why),
    });
    await expect(lockFolder(folder)).rejects.toThrow("set TROUPE_DATA_DIR to a folder");
  }
});

test("folders above it are made too, and two at once may make them", async () => {
  const folder = join(root, "a", "b", "c");
  await Promise.all([makeFolder(folder), makeFolder(folder)]);
  expect((await stat(folder)).isDirectory()).toBe(true);
  expect(await makeFolder(folder)).toEqual([]);
});

test("trying a folder leaves nothing behind", async () => {
  await tryFolder(join(root, "a", "b"));
  expect(await readdir(root)).toEqual([]);
  await tryFolder(root);
  expect(await readdir(root)).toEqual([]);
});

async function file(name: string): Promise<string> {
  const path = join(root, name);
  await writeFile(path, "");
  return path;
}

async function link(name: string): Promise<string> {
  const path = join(root, name);
  await symlink(join(root, "nowhere", "at", "all"), path);
  return path;
}

async function circle(): Promise<string> {
  const [one, other] = [join(root, "one"), join(root, "other")];
  await symlink(one, other);
  await symlink(other, one);
  return one;
}

async function lock(kind: "link" | "folder"): Promise<string> {
  if (kind === "link") await link("troupe.lock");
  else await mkdir(join(root, "troupe.lock"));
  return root;
}
