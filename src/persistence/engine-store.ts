import { passBy, type ReachBoundary } from "#ports/boundaries.ts";
import type { EngineStore } from "#ports/store.ts";
import type { Outbox } from "#ports/work-queue.ts";
import type { Database } from "./database.ts";
import { createFiguresStore } from "./figures.store.ts";
import { createShardStore } from "./shards.store.ts";
import { createTickStore } from "./ticks.store.ts";

/** What the engine reads and writes besides the journal. */
export function createEngineStore(
  database: Database,
  queue: Outbox,
  reach: ReachBoundary = passBy,
): EngineStore {
  return {
    ...createTickStore(database, queue, reach),
    ...createShardStore(database),
    ...createFiguresStore(database),
    maintain: () => maintain(database),
  };
}

// Rows that are rewritten every cycle leave their old versions behind; PostgreSQL sees to it itself.
async function maintain({ kind, sql }: Database): Promise<void> {
  if (kind === "pglite") await sql.run("vacuum strategies, actor_snapshots, shards, ticks");
}
