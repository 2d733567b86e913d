import { readConfig } from "#config/config.ts";
import { openDatabase } from "#persistence/database.ts";
import { migrate, schemaDrift } from "#persistence/migrations.ts";
import { schemaProblem } from "#persistence/schema-check.ts";
import { createLogger, openConfigured, openStore, waitingFor } from "../troupe.ts";
import { seed } from "./seed.ts";

/** Returns the names of the migrations that ran. */
export async function migrateConfigured(): Promise<string[]> {
  await using resources = new AsyncDisposableStack();
  const database = await openConfigured(readConfig(process.env), resources);
  return await migrate(database, (holder) => console.error(waitingFor(holder)));
}

/** Returns how many strategies were created. */
export async function seedConfigured(count: number | undefined): Promise<number> {
  const config = readConfig(process.env);
  const logger = createLogger({ ...config, logLevel: "error" });
  await using store = await openStore({ config, logger });
  return await seed(store.services, count);
}

/** What the migrations make against what the entities say, and what a PostgreSQL still lacks. */
export async function disagreements(): Promise<string[]> {
  const { databaseUrl: url } = readConfig(process.env);
  await using scratch = await openDatabase({ kind: "pglite", dataDir: "memory://" });
  await migrate(scratch);
  const drift = (await schemaDrift(scratch)).map((statement) => `no migration for: ${statement}`);
  if (url === undefined) return drift;
  await using database = await openDatabase({ kind: "postgres", url });
  const problem = await schemaProblem(database);
  return problem === null ? drift : [...drift, `on the database: ${problem}`];
}
