import { DomainError } from "#domain/errors.ts";
import type { Database, OpenTransaction } from "./database.ts";
import { statements as databaseWatch } from "./database-watch.ts";
import { databaseFault } from "./errors.ts";
import { statements as migrations } from "./migrations.ts";
import { statements as schemaCheck } from "./schema-check.ts";
import { statements as cycleRows } from "./hot/cycle-rows.ts";
import { statements as figures } from "./hot/figures.store.ts";
import { statements as journal } from "./hot/journal.ts";
import { statements as memberWrites } from "./hot/member-writes.ts";
import { statements as retention } from "./hot/retention.store.ts";
import { statements as shards } from "./hot/shards.store.ts";
import { statements as ticksStore } from "./hot/ticks.store.ts";
import { statements as alerts } from "./queries/alerts.ts";
import { statements as contextBefore } from "./queries/context-before.ts";
import { statements as cycles } from "./queries/cycles.ts";
import { statements as definitions } from "./queries/definitions.ts";
import { statements as performance } from "./queries/performance.ts";
import { statements as portfolio } from "./queries/portfolio.ts";
import { statements as strategies } from "./queries/strategies.ts";
import { statements as ticks } from "./queries/ticks.ts";
import { statements as trades } from "./queries/trades.ts";
import { statements as alertsRepository } from "./repositories/alerts.repository.ts";
import { statements as definitionsRepository } from "./repositories/definitions.repository.ts";
import { statements as pendingControls } from "./repositories/pending-controls.repository.ts";
import { statements as strategiesRepository } from "./repositories/strategies.repository.ts";
import { statements as controls } from "./repositories/strategy-controls.repository.ts";

/** By the file they stand in: every statement that is not made by the ORM and names a table. */
const files: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "database-watch.ts": databaseWatch,
  "migrations.ts": migrations,
  "schema-check.ts": schemaCheck,
  "hot/cycle-rows.ts": cycleRows,
  "hot/figures.store.ts": figures,
  "hot/journal.ts": journal,
  "hot/member-writes.ts": memberWrites,
  "hot/retention.store.ts": retention,
  "hot/shards.store.ts": shards,
  "hot/ticks.store.ts": ticksStore,
  "queries/alerts.ts": alerts,
  "queries/context-before.ts": contextBefore,
  "queries/cycles.ts": cycles,
  "queries/definitions.ts": definitions,
  "queries/performance.ts": performance,
  "queries/portfolio.ts": portfolio,
  "queries/strategies.ts": strategies,
  "queries/ticks.ts": ticks,
  "queries/trades.ts": trades,
  "repositories/alerts.repository.ts": alertsRepository,
  "repositories/definitions.repository.ts": definitionsRepository,
  "repositories/pending-controls.repository.ts": pendingControls,
  "repositories/strategies.repository.ts": strategiesRepository,
  "repositories/strategy-controls.repository.ts": controls,
};

export const rawStatements = Object.entries(files).flatMap(([file, statements]) =>
  Object.entries(statements).map(([name, text]) => ({ name: `${name} (${file})`, text })),
);

/**
 * Lets the server look at every raw statement once, without running it: a table or column that was
 * renamed stops the start instead of the first cycle that needs it. The schema follows the entities, so
 * this holds the statements to them.
 * @throws DomainError SCHEMA_MISMATCH
 */
export async function checkStatements(database: Database): Promise<void> {
  // On one connection, for there the server keeps what it prepares.
  await database.transactional(async (transaction) => {
    for (const statement of rawStatements) await check(transaction, statement);
  });
}

async function check(
  transaction: OpenTransaction,
  { name, text }: (typeof rawStatements)[number],
): Promise<void> {
  try {
    await transaction.run(`prepare troupe_check as ${text}`);
    await transaction.run("deallocate troupe_check");
  } catch (error) {
    if (error instanceof DomainError && error.code === "PORT_UNAVAILABLE") throw error;
    const state = databaseFault(error)?.sqlState ?? "unknown";
    const message = `the database does not know what the statement ${name} names (${state}): tables and code are of different versions; run: doctor`;
    throw new DomainError("SCHEMA_MISMATCH", message, {
      cause: error,
      details: { statement: name },
    });
  }
}
