import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readConfig } from "#config/config.ts";
import { checkStatements, rawStatements } from "#persistence/raw-statements.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";
import { createLogger, openStore } from "../../src/troupe.ts";

const persistence = join(import.meta.dirname, "../../src/persistence");

describe.each(storeKinds)("the raw statements on %s", (kind) => {
  let store: TestStore;

  beforeEach(async () => {
    store = await openTestStore(kind);
  });
  afterEach(() => store[Symbol.asyncDispose]());

  test("are all known to a migrated database, and none stays prepared", async () => {
    const { database } = store;
    await checkStatements(database);
    const prepared = "select count(*)::int as n from pg_prepared_statements";
    expect(await database.sql.rows(prepared)).toEqual([{ n: 0 }]);
    expect(store.statements.length).toBeGreaterThan(rawStatements.length);
  });

  test.each([
    ["strategy_holdings", "mark_price", "storeMembers (hot/cycle-rows.ts)"],
    ["agent_runs", "cost", "agentRuns (queries/ticks.ts)"],
    ["strategies", "is_active", "listByCreated (queries/strategies.ts)"],
    ["strategy_definitions", "catch_up", "scheduledDefinitions (hot/ticks.store.ts)"],
  ])("name the one that reads %s by a renamed column %s", async (table, column, statement) => {
    const { database } = store;
    await database.sql.run(`alter table ${table} rename column ${column} to renamed`);
    await expect(checkStatements(database)).rejects.toMatchObject({
      code: "SCHEMA_MISMATCH",
      details: { statement },
    });
    expect(await database.sql.rows("select 1 as one")).toEqual([{ one: 1 }]);
  });
});

test("a server whose columns are of another version refuses to start and names the statement", async () => {
  await using store = await openTestStore("postgres");
  await store.database.sql.run(
    "alter table strategy_portfolio_views rename column buying_power to power",
  );
  const config = readConfig({ DATABASE_URL: store.url ?? "", TROUPE_LOG_LEVEL: "silent" });
  await expect(openStore({ config, logger: createLogger(config) })).rejects.toMatchObject({
    code: "SCHEMA_MISMATCH",
    message: expect.stringContaining("storeMembers (hot/cycle-rows.ts)"),
  });
});

test("no statement is run that the start does not check", async () => {
  const unchecked: string[] = [];
  for (const file of await readdir(persistence, { recursive: true })) {
    if (!file.endsWith(".ts") || file === "raw-statements.ts") continue;
    const text = await readFile(join(persistence, file), "utf8");
    unchecked.push(...statementsRunBy(text).map((statement) => `${file}: ${statement}`));
  }
  expect(unchecked).toEqual([]);
});

// What names no table, or nothing a prepared statement could name.
const free = [
  /^"(?:savepoint|rollback to savepoint) \w+"$/,
  /^"select 1"$/,
  /^`select \$\{byIndexOnly\}`$/,
  /^`select pg_(?:try_)?advisory_\w+\(/,
  /^`vacuum /,
];

/** The statements a file runs, apart from those that are in the list the start checks. */
function statementsRunBy(text: string): string[] {
  const listed = /export const statements = \{(.*?)\n?\};/s.exec(text)?.[1] ?? "";
  const named = new Set(rawStatements.map(({ name }) => name.split(" ")[0]));
  const runs = [...text.matchAll(/\b(?:sql|tx|transaction)\.(?:rows|run)\(\s*([^,)]+)/g)].map(
    ([, first = ""]) => first,
  );
  return runs.filter((first) => {
    if (first.startsWith("statements.") || free.some((pattern) => pattern.test(first.trim()))) {
      return false;
    }
    // A name: of this file's list, of another's, or the parameter of a function that is given one.
    const isListed = new RegExp(`\\b${first}\\b`).test(listed) || named.has(first);
    return !isListed && first !== "statement";
  });
}
