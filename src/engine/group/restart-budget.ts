const MAX_RESTARTS = 5;
const WINDOW_MS = 10 * 60_000;

/**
 * How often a failing actor may be restored: five times in ten minutes, then its strategy is stopped.
 * Counted per node and in memory: a restarted process starts with a clean slate.
 */
export class RestartBudget {
  readonly #restarts = new Map<string, number[]>();

  /** Spends one restart of the strategy; false when there is none left. */
  spend(strategyId: string, elapsedMs: number): boolean {
    const recent = (this.#restarts.get(strategyId) ?? []).filter(
      (at) => at > elapsedMs - WINDOW_MS,
    );
    if (recent.length >= MAX_RESTARTS) return false;
    recent.push(elapsedMs);
    this.#restarts.set(strategyId, recent);
    return true;
  }
}
