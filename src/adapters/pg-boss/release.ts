import type { PgBoss } from "pg-boss";
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
