import type { PGlite } from "@electric-sql/pglite";
import {
  type CommandResponse,
  type DatabaseOptions,
  type Db,
  fromKysely,
  fromPglite,
  PgBoss,
} from "pg-boss";
import { z } from "zod";
import { DomainError, errorMessage, InvariantError } from "#domain/errors.ts";
import type { QueueName, Transaction } from "#ports/work-queue.ts";

/** Where the messages live: the same database as everything else. */
export type QueueDatabase = (
  | { kind: "postgres"; connection: DatabaseOptions }
  | { kind: "pglite"; client: PGlite }
) & {
  /** Of the queue's own tables; `pgboss` unless told. */
  schema?: string;
};

export const DEFAULT_SCHEMA = "pgboss";

/** The part of pino we need. */
export interface QueueLogger {
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}

export interface QueueTuning {
  /** A claim without a sign of life for so long goes to another node; the shortest of all nodes counts. */
  heartbeatSeconds: number;
  /** The pause between two signs of life: the same on all nodes, whatever their heartbeats. */
  touchMs: number;
  /** How often an idle queue is looked at, should a wake-up have been missed. */
  pollMs: number;
  /** The longest pause between two deliveries of a failing message. */
  retryDelayMaxSeconds: number;
  /** A handler that lives for so long is taken for hung, and its message delivered again. */
  claimLimitSeconds: number;
  keepCompletedSeconds: number;
  /** How often completed messages are deleted; on PGlite also how often dead rows are reclaimed. */
  maintenanceSeconds: number;
  /** How long one call into the queue may take before it counts as hung. */
  callTimeoutMs: number;
  /** How long handlers may take to notice that their signal was aborted at a stop. */
  abortGraceMs: number;
  poolSize: number;
}

export const defaultTuning: QueueTuning = {
  heartbeatSeconds: 10,
  touchMs: 500,
  pollMs: 200,
  retryDelayMaxSeconds: 30,
  claimLimitSeconds: 3_600,
  keepCompletedSeconds: 120,
  maintenanceSeconds: 60,
  callTimeoutMs: 15_000,
  abortGraceMs: 1_000,
  poolSize: 4,
};

export const queueNames: readonly QueueName[] = ["ticks", "shards"];

const tenYearsInSeconds = 315_360_000;
const withoutLimit = 1_000_000_000;
export const nobody = { id: "00000000-0000-0000-0000-000000000000", retryCount: 0 };

export function createBoss(database: QueueDatabase, tuning: QueueTuning): PgBoss {
  return new PgBoss({
    ...(database.kind === "pglite"
      ? { backend: "pglite", db: fromPglite(database.client) }
      : connectionOptions(database, tuning)),
    schema: database.schema ?? DEFAULT_SCHEMA,
    // The defaults are a minute each.
    superviseIntervalSeconds: 1,
    monitorIntervalSeconds: 1,
    maintenanceIntervalSeconds: tuning.maintenanceSeconds,
    // Neither its cron nor its job dependencies are used.
    schedule: false,
    flowIntervalSeconds: 3_600,
    // PGlite has no autovacuum to watch; createWorkQueue vacuums there.
    monitorVacuum: database.kind === "postgres",
  });
}

function connectionOptions(
  { connection }: Extract<QueueDatabase, { kind: "postgres" }>,
  { poolSize }: QueueTuning,
) {
  // pg-boss hands what it does not know itself to pg.
  return { ...connection, application_name: nameOf(connection, "queue"), max: poolSize };
}

/** What the server's list of sessions shows. */
export function nameOf(
  { application_name: name = "troupe" }: DatabaseOptions,
  part: string,
): string {
  return `${name}-${part}`;
}

/** Creates both queues, or brings them to these settings, and leaves pg-boss's cache warm. */
export async function prepareQueues(boss: PgBoss, tuning: QueueTuning): Promise<void> {
  const settings = {
    // The workers look for silent nodes themselves; pg-boss, which takes no less than ten, only backs
    // them up.
    heartbeatSeconds: Math.max(10, 2 * tuning.heartbeatSeconds),
    expireInSeconds: tuning.claimLimitSeconds,
    // A message that failed for good would block its key for ever, a deleted one would be lost.
    retryLimit: withoutLimit,
    retentionSeconds: tenYearsInSeconds,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: tuning.retryDelayMaxSeconds,
    deleteAfterSeconds: tuning.keepCompletedSeconds,
  };
  for (const name of queueNames) {
    await boss.createQueue(name, { policy: "key_strict_fifo", ...settings });
    await boss.updateQueue(name, settings);
    // A first call inside an open PGlite transaction would look the queue up through the one
    // connection which that transaction holds: the process would hang. So look it up now.
    await boss.touch(name, nobody);
  }
}

/**
 * The handed-over transaction as pg-boss wants it. Persistence hands over what MikroORM's
 * `getTransactionContext()` returns: a Kysely transaction, opaque to everybody in between.
 */
export function toDatabase(transaction: Transaction): Db {
  if (!isKysely(transaction)) throw new InvariantError("the transaction is not one of Kysely's");
  return fromKysely(transaction);
}

function isKysely<T extends object>(value: T): value is T & Parameters<typeof fromKysely>[0] {
  return "executeQuery" in value && typeof value.executeQuery === "function";
}

// pg-boss answers with counts that its types leave out.
const answer = z.object({ affected: z.number() });

/** How many of the named claims a settling call still found active at their attempt. */
export function affectedBy(response: CommandResponse): number {
  return answer.parse(response).affected;
}

/** An error for the log. Node's error for a refused connection has, at times, only a code. */
export function describe(error: unknown): string {
  const message = errorMessage(error);
  if (message === "" && error instanceof Error && "code" in error) return String(error.code);
  return message;
}

/** An error without a report of the database lost its connection; others are as they were. */
export function toLostConnection(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(describe(error), { cause: error });
  if (error instanceof DomainError) return error;
  if ("code" in error && typeof error.code === "string" && /^[\dA-Z]{5}$/.test(error.code))
    return error;
  const reason = describe(error);
  const details = { trouble: "database_unreachable", reason };
  const message = `the work queue lost the database: ${reason}`;
  return new DomainError("PORT_UNAVAILABLE", message, { cause: error, details });
}
