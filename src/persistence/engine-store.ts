import { ActorSnapshot } from "#entities/actor-snapshot.entity.ts";
import { Shard } from "#entities/shard.entity.ts";
import { Strategy } from "#entities/strategy.entity.ts";
import { Tick } from "#entities/tick.entity.ts";
import { noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { EngineStore } from "#ports/store.ts";
import type { Outbox } from "#ports/work-queue.ts";
import type { Database } from "./database.ts";
import { createFiguresStore } from "./hot/figures.store.ts";
import { createShardStore } from "./hot/shards.store.ts";
import { createTickStore } from "./hot/ticks.store.ts";
import { resendControls } from "./repositories/pending-controls.repository.ts";

/** What the engine reads and writes besides the journal. */
export function createEngineStore(
  database: Database,
  queue: Outbox,
  failpoint: OnFailpoint = noFailpoints,
): EngineStore {
  return {
    ...createTickStore(database, queue, failpoint),
    ...createShardStore(database),
    ...createFiguresStore(database),
    maintain: () => maintain(database),
    resendControls: () => resendControls(database, queue),
  };
}

// Rows that are rewritten every cycle leave their old versions behind; PostgreSQL sees to it itself.
async function maintain({ kind, orm, sql }: Database): Promise<void> {
  const tables = [Strategy, ActorSnapshot, Shard, Tick].map(
    (entity) => orm.getMetadata().get<object>(entity).tableName,
  );
  if (kind === "pglite") await sql.run(`vacuum ${tables.join(", ")}`);
}
