import { v7 } from "uuid";
import type { PgBoss } from "pg-boss";
import { z } from "zod";
import { DomainError, InvariantError } from "#domain/errors.ts";
import { type DatabaseWatch, unwatched } from "#ports/database-watch.ts";
import type {
  Claim,
  Message,
  QueueHealth,
  QueueName,
  Transaction,
  WorkQueue,
} from "#ports/work-queue.ts";
import {
  createBoss,
  DEFAULT_SCHEMA,
  defaultTuning,
  describe,
  prepareQueues,
  type QueueDatabase,
  type QueueLogger,
  queueNames,
  type QueueTuning,
  toDatabase,
  toLostConnection,
} from "./pg-boss/boss.ts";
import { repairMoments } from "./pg-boss/clock-repair.ts";
import { withDeadline } from "./pg-boss/deadline.ts";
import { Worker } from "./pg-boss/worker.ts";
import { releaseClaim } from "./pg-boss/release.ts";

export type { QueueDatabase, QueueLogger, QueueTuning };

export interface WorkQueueOptions {
  database: QueueDatabase;
  logger?: QueueLogger;
  watch?: DatabaseWatch;
  tuning?: Partial<QueueTuning>;
}

const wakeChannel = "troupe_work";

const activeClaimsIn = (schema: string) => `
  select name as queue, id, retry_count as "retryCount" from ${schema}.job where state = 'active'`;
const activeClaim = z.object({
  queue: z.enum(["ticks", "shards"]),
  id: z.string(),
  retryCount: z.number(),
});

/**
 * Durable messages on pg-boss, on PostgreSQL and on PGlite alike. It brings its own tables (in a
 * schema of their own) up to date at `start()`; any number of nodes may share them.
 */
export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new PgBossQueue(options);
}

class PgBossQueue implements WorkQueue {
  readonly #database: QueueDatabase;
  readonly #schema: string;
  readonly #tuning: QueueTuning;
  readonly #logger: QueueLogger;
  readonly #watch: DatabaseWatch;
  readonly #boss: PgBoss;
  readonly #workers = new Map<QueueName, Worker>();
  #state: "new" | "open" | "draining" | "closed" = "new";
  #unlisten: (() => Promise<void>) | null = null;
  #chores: NodeJS.Timeout | undefined;

  constructor({ database, logger = console, watch = unwatched, tuning = {} }: WorkQueueOptions) {
    this.#database = database;
    this.#schema = database.schema ?? DEFAULT_SCHEMA;
    this.#tuning = { ...defaultTuning, ...tuning };
    this.#logger = logger;
    this.#watch = watch;
    this.#boss = createBoss(database, this.#tuning);
    this.#boss.on("error", (error) => {
      if (watch.blamesDriver(error)) return;
      this.#logger.error({ error: describe(error) }, "work queue error");
    });
    this.#boss.on("warning", (warning) => this.#logger.warn(warning, "work queue warning"));
  }

  async start(): Promise<void> {
    try {
      await this.#boss.start();
      await prepareQueues(this.#boss, this.#tuning);
      if (this.#database.kind === "pglite") await this.#takeOverClaims();
      await this.#listen();
    } catch (error) {
      await this.#boss.stop({ graceful: false });
      const message = `the work queue could not open its tables: ${describe(error)}`;
      throw new DomainError("PORT_UNAVAILABLE", message, { cause: error });
    }
    this.#startChores();
    this.#state = "open";
  }

  async send(
    queue: QueueName,
    messages: readonly Message[],
    transaction?: Transaction,
  ): Promise<void> {
    this.#assertOpen();
    if (messages.length === 0) return;
    const sent = this.#insert(queue, messages, transaction);
    await withDeadline(sent, this.#tuning.callTimeoutMs, "send messages").catch(
      (error: unknown): never => {
        throw toLostConnection(error);
      },
    );
    if (transaction === undefined) this.wake(queue);
  }

  run(queue: QueueName, slots: number, handler: (claim: Claim) => Promise<void>): void {
    this.#assertOpen();
    if (this.#workers.has(queue)) throw new InvariantError(`queue ${queue} has a handler already`);
    const worker = {
      boss: this.#boss,
      schema: this.#schema,
      tuning: this.#tuning,
      logger: this.#logger,
      watch: this.#watch,
    };
    this.#workers.set(queue, new Worker({ ...worker, queue, slots, handler }));
  }

  wake(queue: QueueName): void {
    this.#workers.get(queue)?.wake();
  }

  async stop(drainMs: number): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "draining";
    clearInterval(this.#chores);
    // Handlers that are let finish may still send.
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop(drainMs)));
    this.#state = "closed";
    await this.#unlisten?.();
    await this.#boss.stop({ graceful: false });
  }

  /** As counted by pg-boss's monitor, so up to two seconds old. */
  async health(): Promise<Record<QueueName, QueueHealth>> {
    const counts = await this.#boss.getQueues([...queueNames]);
    const of = (name: QueueName): QueueHealth => {
      const found = counts.find((queue) => queue.name === name);
      if (found === undefined) throw new InvariantError(`queue ${name} does not exist`);
      return { queued: found.queuedCount, active: found.activeCount, failed: found.failedCount };
    };
    return { ticks: of("ticks"), shards: of("shards") };
  }

  async #insert(queue: QueueName, messages: readonly Message[], transaction?: Transaction) {
    const db = transaction === undefined ? this.#boss.getDb() : toDatabase(transaction);
    // Messages of one transaction share their time of creation, and then the smaller id is the
    // older one: version 7 ids, which grow, keep the order of sending.
    const jobs = messages.map(({ key, body }) => ({ id: v7(), singletonKey: key, data: body }));
    const ids = await this.#boss.insert(queue, jobs, { db, returnId: true });
    // pg-boss leaves out what collides with an existing row, without a word.
    if (ids?.length !== jobs.length) throw new InvariantError(`messages to ${queue} were dropped`);
    // Like the messages, told to the other nodes exactly when the transaction commits.
    await db.executeSql("select pg_notify($1, $2)", [wakeChannel, queue]);
  }

  /**
   * Nobody else can have PGlite's folder open, so a claim found at start belongs to a process that
   * died: its message is delivered again now, not when its heartbeat has run out.
   */
  async #takeOverClaims(): Promise<void> {
    const { rows } = await this.#boss.getDb().executeSql(activeClaimsIn(this.#schema), []);
    for (const row of rows) {
      const { queue, ...fence } = activeClaim.parse(row);
      await releaseClaim(this.#boss, { queue, fence }, "its process died");
    }
  }

  async #listen(): Promise<void> {
    const wakeAll = () => queueNames.forEach((queue) => this.wake(queue));
    const wakeNamed = (name: string) => {
      for (const queue of queueNames) if (queue === name) this.wake(queue);
    };
    try {
      const handle = await this.#boss.getDb().listen?.(wakeChannel, wakeNamed, wakeAll);
      this.#unlisten = handle === undefined ? null : () => handle.close();
    } catch (error) {
      // E.g. behind a connection pooler. Polling alone is slower, and no less correct.
      this.#logger.warn(
        { error: describe(error) },
        "no notifications from the database; polling only",
      );
    }
  }

  #startChores(): void {
    const chores = async () => {
      try {
        await repairMoments(this.#boss.getDb(), this.#schema, this.#tuning.retryDelayMaxSeconds);
        if (this.#database.kind === "pglite") await this.#vacuum(this.#database.client);
      } catch (error) {
        this.#logger.warn({ error: describe(error) }, "could not tidy up the work queue");
      }
    };
    this.#chores = setInterval(() => void chores(), this.#tuning.maintenanceSeconds * 1000);
    this.#chores.unref();
  }

  /** PGlite has no autovacuum: without this, every message ever sent would leave its dead rows. */
  async #vacuum(client: { exec(sql: string): Promise<unknown> }): Promise<void> {
    const tables = ["job_common", "queue", "version"].map((table) => `${this.#schema}.${table}`);
    await client.exec(`vacuum ${tables.join(", ")}`);
  }

  #assertOpen(): void {
    if (this.#state === "open" || this.#state === "draining") return;
    if (this.#state === "new") throw new InvariantError("the work queue is used before its start");
    throw new DomainError("SHUTTING_DOWN", "the work queue is closed");
  }
}
