// What is looked at while the soak goes on: this process, its threads, and the database.
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Worker } from "node:worker_threads";
import type { Database } from "#persistence/database.ts";
import { number, text } from "#persistence/rows.ts";
import { heapUsed } from "./heap.ts";

const NS_PER_MS = 1_000_000;
const LOOP_RESOLUTION_MS = 5;

export interface ProcessSample {
  /** Main thread, after a full collection, bytes. */
  heap: number;
  /** Threads, as they are, bytes. */
  threadHeap: number;
  rss: number;
  /** Main thread, since the last sample, ms. */
  loopP99: number;
  /** Handles and requests that keep the process alive, by kind. */
  resources: Record<string, number>;
}

export interface TableSample {
  /** With indexes and TOAST, bytes. */
  bytes: number;
  indexBytes: number;
  /** The server's own estimates. */
  live: number;
  dead: number;
}

export interface DatabaseSample {
  connections: number;
  jobs: number;
  tables: Record<string, TableSample>;
}

export interface Sampler {
  ofProcess(): Promise<ProcessSample>;
  ofDatabase(database: Database): Promise<DatabaseSample>;
  stop(): void;
}

const TABLES = `
  select s.relname as name, pg_total_relation_size(s.relid) as bytes,
    pg_indexes_size(s.relid) as index_bytes, s.n_live_tup as live, s.n_dead_tup as dead
  from pg_stat_user_tables s
  where pg_total_relation_size(s.relid) > 65536
  order by s.relname`;

const AROUND = `
  select
    (select count(*) from pg_stat_activity where datname = current_database()) as connections,
    (select count(*) from pgboss.job) as jobs`;

/** Begin before the engine does, so that its threads are seen. */
export function startSampler(): Sampler {
  const lag = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  const threads = new Set<Worker>();
  const onWorker = (worker: Worker): void => {
    threads.add(worker);
    worker.once("exit", () => threads.delete(worker));
  };
  process.on("worker", onWorker);
  lag.enable();
  return {
    async ofProcess() {
      const loopP99 = Math.max(0, lag.percentile(99) / NS_PER_MS - LOOP_RESOLUTION_MS);
      const resources: Record<string, number> = {};
      for (const kind of process.getActiveResourcesInfo()) {
        resources[kind] = (resources[kind] ?? 0) + 1;
      }
      const { rss } = process.memoryUsage();
      const heaps = await Promise.all([...threads].map((thread) => thread.getHeapStatistics()));
      const threadHeap = heaps.reduce((sum, { used_heap_size: used }) => sum + used, 0);
      const sample = { heap: heapUsed(), threadHeap, rss, loopP99, resources };
      // The collection just now was ours.
      lag.reset();
      return sample;
    },
    async ofDatabase({ sql }) {
      const [around = {}] = await sql.rows(AROUND);
      const rows = await sql.rows(TABLES);
      const tables = rows.map((row): [string, TableSample] => [
        text(row, "name"),
        {
          bytes: number(row, "bytes"),
          indexBytes: number(row, "index_bytes"),
          live: number(row, "live"),
          dead: number(row, "dead"),
        },
      ]);
      return {
        connections: number(around, "connections"),
        jobs: number(around, "jobs"),
        tables: Object.fromEntries(tables),
      };
    },
    stop() {
      process.off("worker", onWorker);
      lag.disable();
    },
  };
}
