import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "#ports/clock.ts";

// Short enough to notice soon that the machine slept or its time was set.
const LONGEST_NAP_MS = 30_000;

/** Wall-clock time, UTC. */
export const systemClock: Clock = {
  simulated: false,
  now: () => Date.now(),
  observe: () => undefined,
  sleepUntil: async (instant, signal) => {
    while (!signal.aborted) {
      const left = instant - Date.now();
      if (left <= 0) return;
      await nap(Math.min(left, LONGEST_NAP_MS), signal);
    }
  },
};

async function nap(ms: number, signal: AbortSignal): Promise<void> {
  // An abort ends the sleep early; it is not a failure of it.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
