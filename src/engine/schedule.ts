import type { Definition } from "#domain/definition.ts";
import { timeframeMs } from "#domain/timeframe.ts";
import type { ScheduledDefinition } from "#ports/store.ts";

/** The multiple of `periodMs` since 1970 UTC at or before `instant`. */
export function boundaryAt(instant: number, periodMs: number): number {
  return Math.floor(instant / periodMs) * periodMs;
}

/**
 * The newest instant at or before `now` at which the definition may tick: a boundary of its period.
 * With a period shorter than `newsMs`, the time from one new bar to the next, it is the first boundary
 * after a bar: one for each bar.
 */
export function newestBoundary(definition: Definition, now: number, newsMs = 0): number {
  const periodMs = timeframeMs(definition);
  if (newsMs <= periodMs) return boundaryAt(now, periodMs);
  const newest = boundaryAt(now, newsMs);
  const boundary = boundaryFrom(newest, periodMs);
  return boundary <= now ? boundary : boundaryFrom(newest - newsMs, periodMs);
}

/** The first such instant after `instant`. */
function boundaryAfter(definition: Definition, instant: number, newsMs: number): number {
  const periodMs = timeframeMs(definition);
  if (newsMs <= periodMs) return boundaryAt(instant, periodMs) + periodMs;
  const newest = boundaryAt(instant, newsMs);
  const boundary = boundaryFrom(newest, periodMs);
  return boundary > instant ? boundary : boundaryFrom(newest + newsMs, periodMs);
}

function boundaryFrom(instant: number, periodMs: number): number {
  return Math.ceil(instant / periodMs) * periodMs;
}

/**
 * When `scheduled` is due next, ms UTC, or null when it has nothing to tick for. A due time in the
 * past means "now". However long nobody was there, or it was paused, only the newest missed boundary
 * is made up for, and that only if the definition says `one`. `newsMs`: no tick comes before something
 * new can be seen; 0 where that can be at any time.
 */
export function nextDue(
  scheduled: ScheduledDefinition,
  clock: { now: number; startedAt: number },
  newsMs = 0,
): number | null {
  const { definition, isPaused, lastScheduledFor, members } = scheduled;
  if (!definition.isActive || isPaused || members === 0) return null;
  const { now, startedAt } = clock;
  const current = newestBoundary(definition, now, newsMs);
  if (lastScheduledFor === null) {
    return current === now ? current : boundaryAfter(definition, now, newsMs);
  }
  const following = boundaryAfter(definition, lastScheduledFor, newsMs);
  if (following > now) return following;
  const skips = definition.catchUp === "skip" && current < startedAt;
  return skips ? boundaryAfter(definition, now, newsMs) : current;
}
