const LOOK_MS = 1_000;

/** Tells once when the process that started this one has ended, and this one goes on without it. */
export function watchParent(tell: (parent: number) => void): Disposable {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    tell(parent);
  }, LOOK_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
