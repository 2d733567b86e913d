/** What failed is restored at most so often within the window; then it is escalated. */
export const RESTART_BUDGET = { restarts: 5, windowMs: 10 * 60_000 } as const;

/** Restarts that still count at `elapsedMs`, of a monotonic scale in real milliseconds. */
export function recentRestarts(restarts: readonly number[], elapsedMs: number): number[] {
  return restarts.filter((at) => at > elapsedMs - RESTART_BUDGET.windowMs);
}

export function hasRestartsLeft(restarts: readonly number[], elapsedMs: number): boolean {
  return recentRestarts(restarts, elapsedMs).length < RESTART_BUDGET.restarts;
}

/** With one restart more; those that no longer count are forgotten. */
export function withRestart(restarts: readonly number[], elapsedMs: number): number[] {
  return [...recentRestarts(restarts, elapsedMs), elapsedMs];
}
