import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { systemTimer } from "#adapters/system-timer.ts";
import { openDatabase, type Database, type DatabaseOptions } from "#persistence/database.ts";
import { migrate } from "#persistence/migrations.ts";
import { createRetentionService } from "#services/retention.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { everyTenMinutes, forgeCycles, forgeTick } from "#support/forged-history.ts";
import {
  differences,
  type History,
  historyOf,
  type Query,
  violations,
} from "#support/invariants.ts";
import { startProgram } from "#support/processes.ts";
import { temporaryFolder } from "#support/running-engine.ts";
import { populate } from "#support/store-fixtures.ts";

const STRATEGIES = 4;
const CYCLES_EACH = 1_998;
const FINALLY_REMOVED = STRATEGIES * (CYCLES_EACH - CYCLES_EACH / 6 - 1);
const KEPT_TRUE = [
  "I1: a cycle without its view, or a view without its cycle",
  "I1: a view whose exposure is not that of its holdings",
  "I15: a cycle that knows nothing of the one before it",
];

const isLong = process.env["TROUPE_FAULTS"] === "all";
const KILLS = isLong ? 5 : 1;
const PER_KILL = 500;

interface Place {
  environment: Readonly<Record<string, string>>;
  options: DatabaseOptions;
}

test("a prune killed again and again ends as one that nobody touched, on PostgreSQL", async () => {
  await using resources = new AsyncDisposableStack();
  const original = resources.use(await createPostgresDatabase());
  await forge({ kind: "postgres", url: original.url });
  const template = new URL(original.url).pathname.slice(1);
  const copy = async (): Promise<Place> => {
    const { url } = resources.use(await createPostgresDatabase(template));
    return { environment: { DATABASE_URL: url }, options: { kind: "postgres", url } };
  };
  await expectSameEnd(await copy(), await copy());
});

test.runIf(isLong)("the same on the embedded database", { timeout: 600_000 }, async () => {
  await using resources = new AsyncDisposableStack();
  const original = await temporaryFolder(resources);
  await forge({ kind: "pglite", dataDir: join(original, "pglite") });
  const copy = async (): Promise<Place> => {
    const folder = await temporaryFolder(resources);
    await cp(original, folder, { recursive: true });
    return {
      environment: { TROUPE_DATA_DIR: folder },
      options: { kind: "pglite", dataDir: join(folder, "pglite") },
    };
  };
  await expectSameEnd(await copy(), await copy());
});

async function forge(options: DatabaseOptions): Promise<void> {
  await using database = await openDatabase(options);
  await migrate(database);
  const { definition, strategyIds } = await populate(database, { count: STRATEGIES });
  const times = everyTenMinutes(Date.UTC(2023, 0, 1), CYCLES_EACH);
  await forgeCycles(database, { strategyIds, times });
  await forgeTick(database, { definitionId: definition.id, at: Date.UTC(2024, 0, 1) });
}

async function expectSameEnd(untouched: Place, killed: Place): Promise<void> {
  const reference = await prunedToTheEnd(untouched);
  let removed = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Later and later after a batch: while it rests, and in the midst of the next statement.
    const given = [String(PER_KILL), String(kill * 7)];
    await using program = startProgram(
      "tests/faults/support/pruning.ts",
      given,
      killed.environment,
    );
    expect(await program.ended).toMatchObject({ code: null });
    const now = await removedIn(killed.options);
    expect(now).toBeGreaterThanOrEqual(removed + PER_KILL);
    removed = now;
  }
  expect(removed).toBeLessThan(FINALLY_REMOVED);
  expect(differences(reference, await prunedToTheEnd(killed))).toEqual([]);
  expect(await removedIn(killed.options)).toBe(FINALLY_REMOVED);
}

/** How many cycles are gone; what is there must be whole. */
async function removedIn(options: DatabaseOptions): Promise<number> {
  await using database = await openDatabase(options);
  const query = queryOf(database);
  const broken = await violations(query, { isThinned: true });
  expect(broken.filter((line) => KEPT_TRUE.some((rule) => line.startsWith(rule)))).toEqual([]);
  const [row] = await query("select count(*)::int as stored from strategy_compose_cycles");
  return STRATEGIES * CYCLES_EACH - Number(row?.["stored"]);
}

async function prunedToTheEnd({ options }: Place): Promise<History> {
  await using database = await openDatabase(options);
  const retention = createRetentionService({ database, timer: systemTimer });
  await retention.start({ keep: "1h", keepHourly: "520w", actor: "test" });
  const isDone = () => expect(retention.status()).toMatchObject({ phase: "done" });
  await vi.waitFor(isDone, { timeout: 60_000 });
  expect(retention.status()?.removed.cycles).toBeGreaterThan(0);
  return await historyOf(queryOf(database));
}

function queryOf({ sql }: Database): Query {
  return async (statement, params) =>
    (await sql.rows(statement, params)).map((row) => ({ ...row }));
}
