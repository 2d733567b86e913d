import type { Clock } from "#ports/clock.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Simulated time that moves when the bench says so: one period at a time. */
export interface SteppedClock extends Clock {
  /** Lets everybody who sleeps for the next daily boundary act. */
  step(): void;
  /** Steps so far. */
  readonly steps: number;
}

export function createSteppedClock(start: number): SteppedClock {
  let now = start;
  let steps = 0;
  let sleepers: { instant: number; wake: () => void }[] = [];
  const moveTo = (instant: number): void => {
    now = Math.max(now, instant);
    const due = sleepers.filter((sleeper) => sleeper.instant <= now);
    sleepers = sleepers.filter((sleeper) => sleeper.instant > now);
    for (const sleeper of due) sleeper.wake();
  };
  return {
    simulated: true,
    now: () => now,
    observe: moveTo,
    sleepUntil: (instant, signal) =>
      new Promise((resolve) => {
        if (signal.aborted || instant <= now) return resolve();
        const sleeper = { instant, wake: resolve };
        sleepers.push(sleeper);
        signal.addEventListener("abort", () => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          resolve();
        });
      }),
    step: () => {
      steps += 1;
      moveTo((Math.floor(now / DAY_MS) + 1) * DAY_MS);
    },
    get steps() {
      return steps;
    },
  };
}
