import { PgBoss } from "pg-boss";
import type { Logger } from "#ports/logger.ts";
import type { ClaimDesk } from "#ports/work-queue.ts";
import { defaultTuning, describe, nobody, queueNames } from "./boss.ts";
import { Delivery } from "./delivery.ts";

export interface ClaimDeskOptions {
  connectionString: string;
  logger: Pick<Logger, "debug">;
}

/** Settles claims and nothing else: it fetches no message, and looks after no queue. */
export async function openClaimDesk({
  connectionString,
  logger,
}: ClaimDeskOptions): Promise<ClaimDesk> {
  const boss = new PgBoss({
    connectionString,
    max: 1,
    application_name: "troupe-claims",
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
