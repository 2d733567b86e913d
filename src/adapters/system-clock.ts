import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "#ports/clock.ts";

// Short enough to notice soon that the machine slept or its time was set.
const LONGEST_NAP_MS = 30_000;
/** How fast time goes on while the machine's clock is behind it. */
const SLOW = 1 / 2;

export interface TimeSources {
  /** The machine's clock, ms UTC. It may be set forward and back. */
  wall(): number;
  /** Milliseconds on a monotonic scale. */
  elapsed(): number;
}

const machine: TimeSources = { wall: () => Date.now(), elapsed: () => performance.now() };

/**
 * Wall-clock time, UTC, that never goes back: when the machine's clock is set back, or was behind a
 * tick that is known, time goes on at half its speed until the machine's clock has caught up. So no
 * instant comes twice, and nobody waits an hour for the next. Set forward, it jumps.
 * @public for live prices
 */
export function createSystemClock(sources: TimeSources = machine): Clock {
  let time = sources.wall();
  let readAt = sources.elapsed();
  const now = (): number => {
    const elapsed = sources.elapsed();
    time = Math.max(sources.wall(), time + (elapsed - readAt) * SLOW);
    readAt = elapsed;
    return Math.floor(time);
  };
  return {
    simulated: false,
    now,
    observe: (instant) => {
      time = Math.max(now(), instant);
    },
    sleepUntil: async (instant, signal) => {
      while (!signal.aborted) {
        const left = instant - now();
        if (left <= 0) return;
        await nap(Math.min(left, LONGEST_NAP_MS), signal);
      }
    },
  };
}

async function nap(ms: number, signal: AbortSignal): Promise<void> {
  // An abort ends the sleep early; it is not a failure of it.
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
