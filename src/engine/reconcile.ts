import type { EngineDependencies } from "./dependencies.ts";

/**
 * Before any message is taken: what an owner asked for and no message will bring about any more is
 * asked for again (I14).
 */
export async function reconcileControls({
  logger,
  store,
}: Pick<EngineDependencies, "logger" | "store">): Promise<void> {
  const strategyIds = await store.resendControls();
  if (strategyIds.length === 0) return;
  logger.info({ strategyIds }, "commands not yet carried out are sent again");
}
