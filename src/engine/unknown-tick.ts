import type { Claim } from "#ports/work-queue.ts";
import type { EngineDependencies } from "./dependencies.ts";

/**
 * A message for a tick that is not pending is mostly one that was delivered twice. One for a tick that
 * was never stored here is told: tables and queue do not belong together, as after a backup of one of
 * them was restored.
 */
export async function tellUnknownTick(
  { logger, store }: Pick<EngineDependencies, "logger" | "store">,
  claim: Claim,
  tickId: string,
): Promise<void> {
  if (await store.knowsTick(tickId)) return;
  const message =
    "a message names a tick that is not stored: the queue is not of these tables; " +
    "restore both from one backup, and give each installation a schema of its own";
  logger.error({ tickId, definitionId: claim.key }, message);
  await store.raiseAlert({
    kind: "unknown_tick",
    severity: "error",
    subject: claim.key,
    strategyId: null,
    message,
    detail: { tickId },
  });
}
