import type { PgBoss } from "pg-boss";
import { z } from "zod";
import type { QueueName } from "#ports/work-queue.ts";
import { type Fence, releaseClaim } from "./release.ts";

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
