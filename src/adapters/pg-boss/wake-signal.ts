/** Wakes one waiter; a ring while nobody waits is remembered, several are one. */
export class WakeSignal {
  #isSet = false;
  #wake: (() => void) | null = null;

  set(): void {
    this.#isSet = true;
    this.#wake?.();
  }

  /** Resolves at the next ring, at once if it rang since the last wait, or after `timeoutMs`. */
  async wait(timeoutMs?: number): Promise<void> {
    if (!this.#isSet) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#isSet = false;
  }
}
