import type { Timer } from "#ports/clock.ts";

/** What bounds work: an abort, real time, or both. */
export type Bounds<T> = Aborting & (Expiring<T> | { ms?: never });

interface Aborting {
  /** Its reason is thrown as soon as it aborts. */
  signal?: AbortSignal | undefined;
}

interface Expiring<T> {
  /** Real milliseconds. */
  ms: number;
  timer: Timer;
  /** What stands for the work when its time is over; may throw. */
  expired: () => T;
}

/**
 * `work`, unless its bounds come first. The work itself goes on and a later outcome is dropped, so
 * this belongs around work that changes nothing, or that may be repeated.
 */
export async function withinTime<T>(work: Promise<T>, bounds: Bounds<T>): Promise<T> {
  const ended = new AbortController();
  const racers = [work, ...limitsOf(bounds, ended.signal)];
  // Whoever loses the race must not become an unhandled rejection.
  for (const racer of racers) racer.catch(() => undefined);
  try {
    return await Promise.race(racers);
  } finally {
    ended.abort();
  }
}

function limitsOf<T>(bounds: Bounds<T>, ended: AbortSignal): Promise<T>[] {
  const limits: Promise<T>[] = [];
  const { signal } = bounds;
  if (signal !== undefined) limits.push(aborted(signal, ended));
  if (bounds.ms !== undefined) {
    limits.push(bounds.timer.after(bounds.ms, ended).then(bounds.expired));
  }
  return limits;
}

function aborted(signal: AbortSignal, ended: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => {
      const reason: unknown = signal.reason;
      reject(reason instanceof Error ? reason : new Error(String(reason)));
    };
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true, signal: ended });
  });
}
