import type { PgBoss } from "pg-boss";
import { z } from "zod";
import type { QueueName } from "#ports/work-queue.ts";
import { affectedBy } from "./boss.ts";

/** One delivery of one message, and no later one. */
export interface Fence {
  id: string;
  retryCount: number;
}

/** Gives a claim up for any node to take at once. Fenced: no effect on a later delivery. */
export async function releaseClaim(
  boss: PgBoss,
  { queue, fence }: { queue: QueueName; fence: Fence },
  reason: string,
): Promise<void> {
  const failed = await boss.fail(queue, fence, { message: reason });
  if (affectedBy(failed) === 0) return;
  // pg-boss lets a failed message wait; pulled forward, it does not. (Its restore() would be
  // one call, but matches no attempt and so could take a claim away from another node.)
  await boss.update(queue, undefined, { id: fence.id, startAfter: 0 });
}

// By the database's clock alone. A row that somebody has locked is being settled or taken over this
// very moment; waiting for it could take as long as a frozen node keeps its transaction open.
const silentClaimsIn = (schema: string) => `
  select id, retry_count as "retryCount" from ${schema}.job
  where name = $1 and state = 'active' and policy = 'key_strict_fifo'
    and heartbeat_on < ${schema}.job_now() - make_interval(secs => $2)
  for update skip locked`;
const silentClaim = z.object({ id: z.string(), retryCount: z.number() });

export interface SilentClaims {
  queue: QueueName;
  /** Of the queue's tables. */
  schema: string;
  heartbeatSeconds: number;
}

/**
 * Releases the claims of nodes that gave no sign of life for so long. Fenced: should such a node live
 * on, it learns at its next sign of life, or at its commit, that the message is another's.
 */
export async function reapSilentClaims(
  boss: PgBoss,
  { queue, schema, heartbeatSeconds }: SilentClaims,
): Promise<Fence[]> {
  const { rows } = await boss.getDb().executeSql(silentClaimsIn(schema), [queue, heartbeatSeconds]);
  const silent = rows.map((row) => silentClaim.parse(row));
  for (const fence of silent) {
    await releaseClaim(boss, { queue, fence }, "its node gave no sign of life");
  }
  return silent;
}
