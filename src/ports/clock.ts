/** The only source of time for business decisions. All instants are ms UTC. */
export interface Clock {
  now(): number;
  /** Resolves when `now() >= instant`, or at once when `signal` aborts. */
  sleepUntil(instant: number, signal: AbortSignal): Promise<void>;
  /**
   * True when time stands still between ticks (replay, backtest): the scheduler then waits for a
   * tick to close before it moves on.
   */
  readonly simulated: boolean;
  /** A tick is known to be scheduled for `instant`: from now on time does not run behind it. */
  observe(instant: number): void;
}

/** Real elapsed time, for timeouts, pacing and measured durations; never for business decisions. */
export interface Timer {
  /** Milliseconds on a monotonic scale. */
  elapsed(): number;
  /** Resolves after `ms` of real time, or at once when `signal` aborts. */
  after(ms: number, signal?: AbortSignal): Promise<void>;
}
