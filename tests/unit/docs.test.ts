import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { describeSettings, SETTINGS } from "#config/config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("every setting is in the table of the operations page, and nothing else is", async () => {
  const page = await readFile(join(root, "docs/operations.md"), "utf8");
  const named = [...page.matchAll(/^\| `((?:TROUPE|DATABASE)_[A-Z_]+)` \|/gm)].map(
    ([, name]) => name,
  );
  expect(new Set(named)).toEqual(new Set(Object.keys(SETTINGS)));
  for (const name of named) expect(describeSettings()).toContain(name);
});

test("what the documents link to and name as a file exists", async () => {
  const pages = ["README.md", "CHANGELOG.md"].concat(
    (await readdir(join(root, "docs"))).map((name) => join("docs", name)),
  );
  const missing: string[] = [];
  for (const page of pages) {
    const text = await readFile(join(root, page), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, link = ""]) =>
      join(dirname(page), link),
    );
    const files = [...text.matchAll(/`((?:src|tests|machines|entities|examples)\/[\w./-]+\.ts)`/g)];
    const named = links.concat(files.map(([, file = ""]) => file));
    missing.push(...named.filter((path) => !path.includes("my-") && !existsSync(join(root, path))));
  }
  expect(missing).toEqual([]);
});
