import { randomUUID } from "node:crypto";
import { NotFoundError } from "#domain/errors.ts";
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
import {
  requestStop,
  type ControlDependencies,
} from "./repositories/strategy-controls.repository.ts";

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
    stopFailing: (strategyId, detail) => stopFailing({ database, queue }, strategyId, detail),
    maintain: () => maintain(database),
    resendControls: () => resendControls(database, queue),
  };
}

/** The command's id is new each time: a strategy that fails again after a resume is stopped again. */
async function stopFailing(
  dependencies: ControlDependencies,
  strategyId: string,
  reason: string,
): Promise<void> {
  const commandId = randomUUID();
  const request = { strategyId, commandId, closePositions: false, reason, cause: "error" } as const;
  try {
    await requestStop(dependencies, { ...request, actor: "supervision" });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

// Rows that are rewritten every cycle leave their old versions behind; PostgreSQL sees to it itself.
async function maintain({ kind, orm, sql }: Database): Promise<void> {
  const tables = [Strategy, ActorSnapshot, Shard, Tick].map(
    (entity) => orm.getMetadata().get<object>(entity).tableName,
  );
  if (kind === "pglite") await sql.run(`vacuum ${tables.join(", ")}`);
}
