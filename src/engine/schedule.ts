import type { Definition } from "#domain/definition.ts";
import type { ScheduledDefinition } from "#ports/store.ts";

const MS_PER_MINUTE = 60_000;

/** The period boundary at or before `instant`; boundaries are multiples of the period since 1970 UTC. */
export function boundaryAt(instant: number, periodMs: number): number {
  return Math.floor(instant / periodMs) * periodMs;
}

export function newestBoundary({ periodMinutes }: Definition, now: number): number {
  return boundaryAt(now, periodMinutes * MS_PER_MINUTE);
}

/**
 * When `scheduled` is due next, ms UTC, or null when it has nothing to tick for. A due time in the
 * past means "now". However long nobody was there, or it was paused, only the newest missed boundary is made up for,
 * and that only if the definition says `one`.
 */
export function nextDue(
  scheduled: ScheduledDefinition,
  clock: { now: number; startedAt: number },
): number | null {
  const { definition, isPaused, lastScheduledFor, members } = scheduled;
  if (!definition.isActive || isPaused || members === 0) return null;
  const periodMs = definition.periodMinutes * MS_PER_MINUTE;
  const current = boundaryAt(clock.now, periodMs);
  if (lastScheduledFor === null) {
    return current === clock.now ? current : current + periodMs;
  }
  const following = boundaryAt(lastScheduledFor, periodMs) + periodMs;
  if (following > clock.now) return following;
  const missedWhileAway = current < clock.startedAt;
  return missedWhileAway && definition.catchUp === "skip" ? current + periodMs : current;
}
