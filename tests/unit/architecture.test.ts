import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Mutation proof of the lint: a small tree under the real configuration, with one offence per file.
// A linter that silently checks nothing fails here.

interface Offence {
  says: string;
  file: string;
  code: string;
  rule: string;
  /** Part of the message that names the way out. */
  teaches?: string;
}

interface Diagnostic {
  filename: string;
  code?: string;
  message: string;
  help?: string;
}

const RESTRICTED_IMPORT = "eslint(no-restricted-imports)";
const RESTRICTED_GLOBAL = "eslint(no-restricted-globals)";
const RESTRICTED_PROPERTY = "eslint(no-restricted-properties)";

const layering: Offence[] = [
  {
    says: "a machine may not open a file",
    file: "machines/reads-file.machine.ts",
    code: `import { readFileSync } from "node:fs";\nexport const text = readFileSync("x", "utf8");\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "Ask for an effect with a named action",
  },
  {
    says: "a machine may not know an entity, not even its type",
    file: "machines/knows-table.machine.ts",
    code: `import type { Row } from "#entities/row.entity.ts";\nexport type Context = Row;\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "a machine may not reach the engine by a relative path",
    file: "machines/climbs.machine.ts",
    code: `export { engine } from "../src/engine/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the domain may not know the ORM",
    file: "src/domain/knows-orm.ts",
    code: `import { p } from "@mikro-orm/core";\nexport const text = p.string();\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "behind a port",
  },
  {
    says: "the domain may not look up to a port",
    file: "src/domain/looks-up.ts",
    code: `import type { Port } from "#ports/clean.ts";\nexport type Up = Port;\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the domain may not draw a random id",
    file: "src/domain/random-id.ts",
    code: `import { v4 } from "uuid";\nexport const id = v4();\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "derived, not random",
  },
  {
    says: "a port may not take behaviour from the domain",
    file: "src/ports/behaves.ts",
    code: `import { one } from "#domain/clean.ts";\nexport const two = one + one;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "import type",
  },
  {
    says: "a port may not know what stands behind it",
    file: "src/ports/knows-adapter.ts",
    code: `import type { Adapter } from "#adapters/clean.ts";\nexport type Known = Adapter;\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "an entity may not query",
    file: "entities/queries.entity.ts",
    code: `import { MikroORM } from "@mikro-orm/postgresql";\nexport const orm = MikroORM;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "src/persistence",
  },
  {
    says: "a migration may not import what changes under it",
    file: "migrations/knows-entity.ts",
    code: `import type { Row } from "#entities/row.entity.ts";\nexport type Old = Row;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "frozen history",
  },
  {
    says: "a decision may not read the market feed",
    file: "src/decisions/reads-feed.ts",
    code: `import type { Port } from "#ports/clean.ts";\nexport type Feed = Port;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "DecisionInput",
  },
  {
    says: "the engine may not know an entity",
    file: "src/engine/knows-entity.ts",
    code: `import type { Row } from "#entities/row.entity.ts";\nexport type Known = Row;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "Store port",
  },
  {
    says: "the engine may not know the ORM",
    file: "src/engine/knows-orm.ts",
    code: `import { p } from "@mikro-orm/core";\nexport const text = p.string();\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "no ORM",
  },
  {
    says: "the engine may not know persistence",
    file: "src/engine/knows-persistence.ts",
    code: `export * from "#persistence/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the engine may not touch the file system",
    file: "src/engine/touches-disk.ts",
    code: `import "node:fs/promises";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the engine may not take random ids from node:crypto",
    file: "src/engine/random-id.ts",
    code: `import { randomUUID } from "node:crypto";\nexport const id = randomUUID();\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "does not draw random numbers",
  },
  {
    says: "persistence may not know the engine",
    file: "src/persistence/knows-engine.ts",
    code: `export { engine } from "#engine/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "an adapter may not import another adapter by its alias",
    file: "src/adapters/leans.ts",
    code: `export { adapter } from "#adapters/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "main.ts joins them",
  },
  {
    says: "an adapter in its folder may not climb to another adapter",
    file: "src/adapters/deep/climbs.ts",
    code: `export { adapter } from "../clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "an adapter may not know the ORM",
    file: "src/adapters/knows-orm.ts",
    code: `import { p } from "@mikro-orm/core";\nexport const text = p.string();\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "an agent may not know a strategy's engine",
    file: "src/agents/knows-engine.ts",
    code: `export { engine } from "#engine/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "never sees a strategy",
  },
  {
    says: "a tool may not know the agent that calls it",
    file: "src/tools/knows-agent.ts",
    code: `export { agent } from "#agents/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "a service may not know its transport",
    file: "src/services/knows-transport.ts",
    code: `import { initTRPC } from "@trpc/server";\nexport const t = initTRPC;\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "src/api",
  },
  {
    says: "the API may not query by itself",
    file: "src/api/queries.ts",
    code: `export { persistence } from "#persistence/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "src/services",
  },
  {
    says: "the API may not read configuration by itself",
    file: "src/api/reads-config.ts",
    code: `export { config } from "#config/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "as an argument",
  },
  {
    says: "the web app may not import a service",
    file: "web/src/imports-service.ts",
    code: `export { service } from "../../src/services/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "reach a browser",
  },
  {
    says: "the web app may not import the router's code",
    file: "web/src/imports-router.ts",
    code: `export { api } from "../../src/api/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "import type",
  },
  {
    says: "the web app may not import the router's code by its alias",
    file: "web/src/aliases-router.ts",
    code: `export { api } from "#api/clean.ts";\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "a port may not know a library",
    file: "src/ports/knows-library.ts",
    code: `import type { MikroORM } from "@mikro-orm/core";\nexport type Orm = MikroORM;\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the API may not open a database",
    file: "src/api/opens-database.ts",
    code: `import type { Client } from "pg";\nexport type Db = Client;\n`,
    rule: RESTRICTED_IMPORT,
  },
  {
    says: "the engine may not import at run time what it may not import",
    file: "src/engine/imports-late.ts",
    code: `export const late = (): Promise<unknown> => import("#persistence/clean.ts");\n`,
    rule: RESTRICTED_IMPORT,
  },
];

const seams: Offence[] = [
  {
    says: "a decision may not ask what time it is",
    file: "src/decisions/asks-time.ts",
    code: `export const at = Date.now();\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "Clock port",
  },
  {
    says: "a decision may not build a date of now",
    file: "src/decisions/builds-date.ts",
    code: `export const at = new Date();\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "Clock port",
  },
  {
    says: "a decision may not roll dice",
    file: "src/decisions/rolls-dice.ts",
    code: `export const luck = Math.random();\n`,
    rule: RESTRICTED_PROPERTY,
    teaches: "seed in DecisionInput",
  },
  {
    says: "the engine may not set a timer",
    file: "src/engine/sets-timer.ts",
    code: `export const timer = setTimeout(() => undefined, 1);\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "Timer.after",
  },
  {
    says: "the engine may not set a timer by way of globalThis",
    file: "src/engine/sets-global-timer.ts",
    code: `export const timer = globalThis.setInterval(() => undefined, 1);\n`,
    rule: RESTRICTED_GLOBAL,
  },
  {
    says: "the engine may not read the environment",
    file: "src/engine/reads-environment.ts",
    code: `export const home = process.env["HOME"];\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "src/config",
  },
  {
    says: "the engine may not make up an id",
    file: "src/engine/makes-up-id.ts",
    code: `export const id = crypto.randomUUID();\n`,
    rule: RESTRICTED_PROPERTY,
    teaches: "UUIDv5",
  },
  {
    says: "a machine may not fetch",
    file: "machines/fetches.machine.ts",
    code: `export const answer = fetch("http://localhost");\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "port",
  },
  {
    says: "the domain may not measure time",
    file: "src/domain/measures.ts",
    code: `export const at = performance.now();\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "Timer port",
  },
  {
    says: "an adapter may not read the environment",
    file: "src/adapters/reads-environment.ts",
    code: `export const url = process.env["DATABASE_URL"];\n`,
    rule: RESTRICTED_PROPERTY,
    teaches: "only reader of the environment",
  },
  {
    says: "a test may not sleep",
    file: "tests/unit/sleeps.test.ts",
    code: `export const pause = new Promise((resolve) => setTimeout(resolve, 5));\n`,
    rule: RESTRICTED_GLOBAL,
    teaches: "vi.waitFor",
  },
  {
    says: "a test may not sleep by import either",
    file: "tests/unit/sleeps-by-import.test.ts",
    code: `import { setTimeout as sleep } from "node:timers/promises";\nawait sleep(5);\n`,
    rule: RESTRICTED_IMPORT,
    teaches: "vi.waitFor",
  },
];

const language: Offence[] = [
  {
    says: "any is refused",
    file: "src/services/any.ts",
    code: `export const value = (input: any): string => String(input);\n`,
    rule: "typescript(no-explicit-any)",
  },
  {
    says: "a non-null assertion is refused",
    file: "src/services/bang.ts",
    code: `export const first = (list: string[]): string => list[0]!;\n`,
    rule: "typescript(no-non-null-assertion)",
  },
  {
    says: "a narrowing assertion is refused",
    file: "src/services/asserts.ts",
    code: `export const text = (input: unknown): string => input as string;\n`,
    rule: "typescript(no-unsafe-type-assertion)",
  },
  {
    says: "a promise left alone is refused",
    file: "src/services/floats.ts",
    code: `const work = async (): Promise<void> => undefined;\nexport function begin(): void {\n  work();\n}\n`,
    rule: "typescript(no-floating-promises)",
  },
  {
    says: "a promise taken for a truth is refused",
    file: "src/services/misuses.ts",
    code: `const isReady = async (): Promise<boolean> => true;\nexport const said = (): string => (isReady() ? "yes" : "no");\n`,
    rule: "typescript(no-misused-promises)",
  },
  {
    says: "a switch that forgets a case is refused",
    file: "src/services/forgets.ts",
    code: `export function name(side: "buy" | "sell"): string {\n  switch (side) {\n    case "buy":\n      return "Buy";\n  }\n  return "";\n}\n`,
    rule: "typescript(switch-exhaustiveness-check)",
  },
  {
    says: "a type imported as a value is refused",
    file: "src/services/imports-type.ts",
    code: `import { Port } from "#ports/clean.ts";\nexport const port: Port = { name: "x" };\n`,
    rule: "typescript(consistent-type-imports)",
  },
  {
    says: "a fourth parameter is refused",
    file: "src/services/four.ts",
    code: `export const sum = (a: number, b: number, c: number, d: number): number => a + b + c + d;\n`,
    rule: "eslint(max-params)",
  },
  {
    says: "a console line is refused outside the edge",
    file: "src/services/prints.ts",
    code: `console.log("done");\nexport {};\n`,
    rule: "eslint(no-console)",
  },
  {
    says: "a default export is refused",
    file: "src/services/defaults.ts",
    code: `export default 1;\n`,
    rule: "import(no-default-export)",
  },
  {
    says: "a cycle is refused, also through an alias",
    file: "src/services/hen.ts",
    code: `import { egg } from "#services/egg.ts";\nexport const hen = (): unknown => egg;\n`,
    rule: "import(no-cycle)",
  },
  {
    says: "a lint directive that silences nothing is refused",
    file: "src/services/silences.ts",
    code: `// oxlint-disable-next-line no-console\nexport const quiet = 1;\n`,
    rule: "",
    teaches: "Unused",
  },
  {
    says: "a focused test is refused",
    file: "tests/unit/focused.test.ts",
    code: `import { expect, test } from "vitest";\ntest.only("one is one", () => expect(1).toBe(1));\n`,
    rule: "vitest(no-focused-tests)",
  },
  {
    says: "a test name with should is refused",
    file: "tests/unit/should.test.ts",
    code: `import { expect, test } from "vitest";\ntest("one should be one", () => {\n  expect(1).toBe(1);\n});\n`,
    rule: "vitest(valid-title)",
  },
];

const clean: Record<string, string> = {
  "src/domain/clean.ts": `import { Decimal } from "decimal.js";\nimport { v5 } from "uuid";\nimport { z } from "zod";\nimport { two } from "./two.ts";\nexport const one = 1;\nexport const parts = { Decimal, v5, z, two };\n`,
  "src/domain/two.ts": `export const two = 2;\n`,
  "src/ports/clean.ts": `import type { one } from "#domain/clean.ts";\nexport interface Port {\n  name: string;\n  size?: typeof one;\n}\n`,
  "src/ports/decision-agent.ts": `export interface DecisionAgent {\n  name: string;\n}\n`,
  "machines/clean.machine.ts": `import { setup } from "xstate";\nimport { z } from "zod";\nimport { one } from "#domain/clean.ts";\nexport const parts = { setup, z, one };\nexport const seed = {} as { id: string };\n`,
  "entities/row.entity.ts": `import { p } from "@mikro-orm/core";\nimport type { one } from "#domain/clean.ts";\nexport interface Row {\n  size: typeof one;\n}\nexport const text = p.string();\n`,
  "migrations/clean.ts": `import { Migration } from "@mikro-orm/migrations";\nexport class First extends Migration {}\n`,
  "migrations/index.ts": `import { First } from "./clean.ts";\nexport const migrations = [First];\n`,
  "src/decisions/clean.ts": `import { z } from "zod";\nimport { one } from "#domain/clean.ts";\nimport type { DecisionAgent } from "#ports/decision-agent.ts";\nexport type Agent = DecisionAgent;\nexport const parts = { z, one };\n`,
  "src/engine/clean.ts": `import { hash } from "node:crypto";\nimport { createStore } from "@xstate/store";\nimport { createActor } from "xstate";\nimport { one } from "#domain/clean.ts";\nimport { seed } from "#machines/clean.machine.ts";\nimport type { Port } from "#ports/clean.ts";\nexport type Known = Port;\nexport const engine = { hash, createActor, createStore, one, seed };\n`,
  "src/persistence/clean.ts": `import { join } from "node:path";\nimport { raw } from "@mikro-orm/core";\nimport { sql } from "kysely";\nimport { text } from "#entities/row.entity.ts";\nimport { migrations } from "../../migrations/index.ts";\nexport const persistence = { join, raw, sql, text, migrations };\n`,
  "src/adapters/clean.ts": `import { readFile } from "node:fs/promises";\nimport { one } from "#domain/clean.ts";\nimport type { Port } from "#ports/clean.ts";\nexport type Adapter = Port;\nexport const adapter = { readFile, one, at: Date.now() };\n`,
  "src/agents/clean.ts": `import { one } from "#domain/clean.ts";\nexport const agent = { one };\n`,
  "src/tools/clean.ts": `import type { Port } from "#ports/clean.ts";\nexport const tool: Port = { name: "tool" };\n`,
  "src/services/clean.ts": `import { text } from "#entities/row.entity.ts";\nimport { engine } from "#engine/clean.ts";\nimport { persistence } from "#persistence/clean.ts";\nexport const service = { text, engine, persistence };\n`,
  "src/services/egg.ts": `import { two } from "#domain/two.ts";\nimport { hen } from "./hen.ts";\nexport const egg = { two, hen };\n`,
  "src/config/clean.ts": `import { homedir } from "node:os";\nimport { z } from "zod";\nexport const config = { z, home: process.env["HOME"] ?? homedir() };\n`,
  "src/api/clean.ts": `import { initTRPC } from "@trpc/server";\nimport { WebSocketServer } from "ws";\nimport { z } from "zod";\nimport type { config } from "#config/clean.ts";\nimport { service } from "#services/clean.ts";\nexport type Config = typeof config;\nexport const api = { initTRPC, WebSocketServer, z, service };\n`,
  "src/main.ts": `import { adapter } from "#adapters/clean.ts";\nimport { api } from "#api/clean.ts";\nimport { config } from "#config/clean.ts";\nimport { persistence } from "#persistence/clean.ts";\nconsole.log(adapter, api, config, persistence);\n`,
  "web/src/clean.ts": `import { one } from "../../src/domain/clean.ts";\nimport type { api } from "../../src/api/clean.ts";\nimport type { api as aliased } from "#api/clean.ts";\nexport type Api = { near: typeof api; aliased: typeof aliased };\nexport const size = one;\n`,
  "tests/unit/clean.test.ts": `import { expect, test } from "vitest";\nimport { engine } from "#engine/clean.ts";\ntest("one is one", () => {\n  expect(engine.one).toBe(1);\n});\n`,
};

// Part of a cycle whose other half is the offence.
const ACCOMPLICES = new Set(["src/services/egg.ts"]);

// Where everything meets, with src/main.ts and src/cli.ts: no import rule.
const EDGES = new Set(["cli"]);

const repository = resolve(import.meta.dirname, "../..");
let tree = "";
let diagnostics: Diagnostic[] = [];

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), "architecture-"));
  await plant(tree);
  diagnostics = await lint(tree);
});

afterAll(() => rm(tree, { recursive: true, force: true }));

describe("imports point down", () => {
  test.each(layering)("$says", expectCaught);
});

describe("time, chance and the outside come in through ports", () => {
  test.each(seams)("$says", expectCaught);
});

describe("the language rules bite", () => {
  test.each(language)("$says", expectCaught);
});

test("files that keep the rules pass", () => {
  const innocent = Object.keys(clean).filter((file) => !ACCOMPLICES.has(file));
  expect(diagnostics.filter(({ filename }) => innocent.includes(filename))).toEqual([]);
});

test("every folder of the source has its import rule", async () => {
  const folders = await readdir(join(repository, "src"), { withFileTypes: true });
  const config = await readFile(join(repository, ".oxlintrc.json"), "utf8");
  const layers = folders
    .filter((entry) => entry.isDirectory() && !EDGES.has(entry.name))
    .map(({ name }) => name);
  expect(layers.filter((layer) => !config.includes(`["src/${layer}/**"]`))).toEqual([]);
});

test("the engine knows no ORM", async () => {
  const engine = join(repository, "src/engine");
  const files = (await readdir(engine, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const texts = await Promise.all(files.map((name) => readFile(join(engine, name), "utf8")));
  expect(files.length).toBeGreaterThan(0);
  expect(files.filter((_, index) => /mikro-orm|#entities|kysely/.test(texts[index] ?? ""))).toEqual(
    [],
  );
});

function expectCaught(offence: Offence): void {
  const found = diagnostics.filter(({ filename }) => filename === offence.file);
  const caught = found.filter(({ code }) => (code ?? "") === offence.rule);
  expect(caught, `caught in ${offence.file}: ${JSON.stringify(found)}`).not.toEqual([]);
  const said = caught.map(({ message, help }) => `${message} ${help ?? ""}`).join("\n");
  expect(said).toContain(offence.teaches ?? "");
}

async function plant(root: string): Promise<void> {
  for (const name of [".oxlintrc.json", "package.json", "tsconfig.json"]) {
    await cp(join(repository, name), join(root, name));
  }
  await symlink(join(repository, "node_modules"), join(root, "node_modules"));
  const offences = [...layering, ...seams, ...language].map(({ file, code }) => [file, code]);
  for (const [file = "", code = ""] of [...Object.entries(clean), ...offences]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), code);
  }
}

function lint(root: string): Promise<Diagnostic[]> {
  const oxlint = join(repository, "node_modules/oxlint/bin/oxlint");
  return new Promise((done, failed) => {
    execFile(
      process.execPath,
      [oxlint, "--format=json", "."],
      { cwd: root, maxBuffer: 64 * 1024 * 1024 },
      (_, output, complaint) => {
        try {
          done((JSON.parse(output) as { diagnostics: Diagnostic[] }).diagnostics);
        } catch (cause) {
          failed(new Error(`oxlint gave no report: ${output}${complaint}`, { cause }));
        }
      },
    );
  });
}
