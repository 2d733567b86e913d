const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type Signal = keyof typeof SIGNALS;

/**
 * Resolves with the first reason to end: a signal, or nobody reading our output any more. A second
 * signal ends the process at once, as a crash would.
 */
export function waitForEnd(): Promise<string> {
  return new Promise((resolve) => {
    let isEnding = false;
    const onSignal = (signal: Signal): void => {
      if (isEnding) process.exit(128 + SIGNALS[signal]);
      isEnding = true;
      resolve(signal);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
    process.on("SIGHUP", onSignal);
    process.stdout.on("error", () => {
      isEnding = true;
      resolve("output closed");
    });
  });
}
