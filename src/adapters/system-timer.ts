import { setTimeout as sleep } from "node:timers/promises";
import type { Timer } from "#ports/clock.ts";

export const systemTimer: Timer = {
  elapsed: () => performance.now(),
  after: async (ms, signal) => {
    // An abort ends the wait early; it is not a failure of it.
    await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  },
};
