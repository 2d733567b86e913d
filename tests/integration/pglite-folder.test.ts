import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lookAtFolder, openPgliteFolder } from "#persistence/pglite-folder.ts";

let folder: string;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "troupe-pglite-")), "pglite");
});

afterEach(() => rm(join(folder, ".."), { recursive: true, force: true }));

test("a folder that holds something else is refused by name and left as it is", async () => {
  await mkdir(join(folder, "base"), { recursive: true });
  await writeFile(join(folder, "base", "1"), "a year of cycles");
  await expect(openPgliteFolder(folder)).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining(`${folder} cannot be opened: it holds base and no PG_VERSION`),
  });
  expect(await readdir(folder)).toEqual(["base"]);
  expect(await readFile(join(folder, "base", "1"), "utf8")).toBe("a year of cycles");
});

test("a file in its place is refused", async () => {
  await writeFile(folder, "");
  await expect(openPgliteFolder(folder)).rejects.toThrow("it must be a folder this user may write");
});

test("a first start that was killed begins again, and what it made then stays", async () => {
  await mkdir(join(folder, ".first-start", "base"), { recursive: true });
  await mkdir(join(folder, "global"));
  expect(await lookAtFolder(folder)).toBe("new");
  const made = await openPgliteFolder(folder);
  await made.exec("create table kept (id int)");
  await made.close();
  expect(await readdir(folder)).not.toContain(".first-start");
  expect(await lookAtFolder(folder)).toBe("database");
  const again = await openPgliteFolder(folder);
  expect((await again.query("select * from kept")).rows).toEqual([]);
  await again.close();
  await rm(join(folder, "PG_VERSION"));
  await expect(openPgliteFolder(folder)).rejects.toThrow("no PG_VERSION");
});

test("a database that is damaged is told with what to do", async () => {
  await mkdir(folder);
  await writeFile(join(folder, "PG_VERSION"), "18\n");
  await expect(openPgliteFolder(folder)).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringContaining("restore a backup of it"),
  });
});
