import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import type { Clock, Timer } from "#ports/clock.ts";

export interface ReplayClockOptions {
  /** First instant, ms UTC. */
  start: number;
  /** Time does not get past this by itself, ms UTC. */
  end: number;
  /** Most advances of time per real second; null: as fast as the sleepers come back. */
  ticksPerSecond: number | null;
  /** Real time, for the pacing. */
  timer: Timer;
}

export interface ReplayClock extends Clock {
  /** True once everybody who sleeps waits for an instant beyond the end. */
  readonly finished: boolean;
}

interface Sleeper {
  instant: number;
  wake(): void;
}

/** Simulated time: it jumps to the earliest instant somebody sleeps for, at a given real pace. */
export function createReplayClock(options: ReplayClockOptions): ReplayClock {
  return new PacedReplayClock(options);
}

class PacedReplayClock implements ReplayClock {
  readonly simulated = true;
  readonly #end: number;
  readonly #paceMs: number;
  readonly #timer: Timer;
  #now: number;
  #finished = false;
  /** By instant, ties in order of arrival. */
  #sleepers: Sleeper[] = [];
  #driving = false;
  #lastAdvance: number | null = null;
  #pacing = new AbortController();

  constructor(options: ReplayClockOptions) {
    this.#now = options.start;
    this.#end = options.end;
    this.#paceMs = options.ticksPerSecond === null ? 0 : 1000 / options.ticksPerSecond;
    this.#timer = options.timer;
  }

  get finished(): boolean {
    return this.#finished;
  }

  now(): number {
    return this.#now;
  }

  observe(instant: number): void {
    this.#moveTo(instant);
  }

  sleepUntil(instant: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || instant <= this.#now) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        instant,
        wake: () => {
          signal.removeEventListener("abort", abandon);
          resolve();
        },
      };
      const abandon = (): void => {
        this.#remove(sleeper);
        resolve();
      };
      signal.addEventListener("abort", abandon, { once: true });
      this.#add(sleeper);
    });
  }

  #add(sleeper: Sleeper): void {
    const after = this.#sleepers.findIndex((other) => other.instant > sleeper.instant);
    this.#sleepers.splice(after === -1 ? this.#sleepers.length : after, 0, sleeper);
    if (this.#driving) return;
    this.#driving = true;
    void this.#drive();
  }

  #remove(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
    // Nobody waits for the pace any more: a timer left behind would keep the process alive.
    if (this.#next() === null) this.#pacing.abort();
  }

  async #drive(): Promise<void> {
    while (this.#next() !== null) {
      await this.#pace();
      const instant = this.#next();
      if (instant === null || this.#paceLeft() > 0) continue;
      this.#lastAdvance = this.#timer.elapsed();
      this.#moveTo(instant);
    }
    this.#driving = false;
    this.#finished ||= this.#sleepers.length > 0;
  }

  async #pace(): Promise<void> {
    // Also at full speed: whoever just woke acts before time moves on.
    await yieldToEventLoop();
    const left = this.#paceLeft();
    if (left <= 0 || this.#next() === null) return;
    this.#pacing = new AbortController();
    await this.#timer.after(left, this.#pacing.signal);
  }

  #paceLeft(): number {
    if (this.#lastAdvance === null) return 0;
    return this.#lastAdvance + this.#paceMs - this.#timer.elapsed();
  }

  /** The earliest instant somebody waits for and time can reach. */
  #next(): number | null {
    const instant = this.#sleepers[0]?.instant;
    return instant === undefined || instant > this.#end ? null : instant;
  }

  #moveTo(instant: number): void {
    this.#now = Math.max(this.#now, instant);
    const due = this.#sleepers.findIndex((sleeper) => sleeper.instant > this.#now);
    const woken = this.#sleepers.splice(0, due === -1 ? this.#sleepers.length : due);
    for (const sleeper of woken) sleeper.wake();
  }
}
