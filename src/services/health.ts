import { errorMessage } from "#domain/errors.ts";
import type { Database } from "#persistence/database.ts";
import { schemaProblem, shortTimeouts } from "#persistence/schema-check.ts";
import { type DatabaseWatch, type Outage, unwatched } from "#ports/database-watch.ts";
import { type StorageRoom, unlimitedRoom } from "#ports/storage-room.ts";
import type { WorkQueue } from "#ports/work-queue.ts";

/** Longer than this and whoever asks should go elsewhere. */
const CHECK_MS = 3_000;

export interface Check {
  name: "database" | "disk" | "migrations" | "queue";
  ok: boolean;
  detail: string;
}

export type HealthService = ReturnType<typeof createHealthService>;

export interface HealthDependencies {
  database: Database;
  queue: WorkQueue;
  watch?: DatabaseWatch;
  room?: StorageRoom;
}

export function createHealthService(dependencies: HealthDependencies) {
  const { database, queue, room = unlimitedRoom, watch = unwatched } = dependencies;
  return {
    database: database.kind,

    queues: () => queue.health(),

    /** Whether this node can do its work now; it never throws. */
    async checks(): Promise<Check[]> {
      // Known to be away: asking again would only keep connections waiting.
      if (watch.outage !== null) return [outageCheck(watch.outage)];
      const { shortage } = room;
      if (shortage !== null) return [{ name: "disk", ok: false, detail: shortage }];
      return Promise.all([
        check("database", async () => {
          const tooShort = await shortTimeouts(database.sql);
          if (tooShort !== null) throw new Error(tooShort);
          return database.kind;
        }),
        check("migrations", async () => {
          const problem = await schemaProblem(database);
          if (problem !== null) throw new Error(problem);
          return "all done";
        }),
        check("queue", async () => {
          const { ticks, shards } = await queue.health();
          return `${ticks.queued + shards.queued} waiting, ${ticks.active + shards.active} active`;
        }),
      ]);
    },
  };
}

function outageCheck({ reason, since }: Outage): Check {
  const detail = `${reason} (since ${new Date(since).toISOString()})`;
  return { name: "database", ok: false, detail };
}

async function check(name: Check["name"], look: () => Promise<string>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    return { name, ok: true, detail: await Promise.race([look(), late]) };
  } catch (error) {
    return { name, ok: false, detail: errorMessage(error) };
  } finally {
    clearTimeout(timer);
  }
}
