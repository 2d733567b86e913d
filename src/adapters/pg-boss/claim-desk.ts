import { type DatabaseOptions, PgBoss } from "pg-boss";
import type { Logger } from "#ports/logger.ts";
import type { ClaimDesk } from "#ports/work-queue.ts";
import { defaultTuning, describe, nameOf, nobody, queueNames } from "./boss.ts";
import { Delivery } from "./delivery.ts";

export interface ClaimDeskOptions {
  connection: DatabaseOptions;
  /** Of the queue's tables. */
  schema: string;
  logger: Pick<Logger, "debug">;
}

/** Settles claims and nothing else: it fetches no message, and looks after no queue. */
export async function openClaimDesk({
  connection,
  schema,
  logger,
}: ClaimDeskOptions): Promise<ClaimDesk> {
  const boss = new PgBoss({
    ...connection,
    schema,
    max: 1,
    application_name: nameOf(connection, "claims"),
    migrate: false,
    supervise: false,
    schedule: false,
  });
  // Its own connection has done its work when it is open; claims are settled in those of the stores.
  boss.on("error", (error) => logger.debug({ error: describe(error) }, "claim desk error"));
  await boss.start();
  // Looks the queues up once, here, instead of inside the first transaction.
  for (const queue of queueNames) await boss.touch(queue, nobody);
  const { callTimeoutMs } = defaultTuning;
  return {
    accept: (ticket, onYield) => new Delivery({ boss, callTimeoutMs, onYield }, ticket),
    [Symbol.asyncDispose]: () => boss.stop({ graceful: false }),
  };
}
