import type { Renderer } from "./renderer.ts";
import { EXIT } from "./problem.ts";

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type Signal = keyof typeof SIGNALS;

/** A stop that takes longer is cut short: what is committed is safe, the rest is done again. */
const STOP_MS = 9_000;
/** An agent or a connection that does not answer keeps the process alive for no longer than this. */
const LINGER_MS = 200;

/** Opens what it needs, putting it on the stack in order; once `ending` aborts it opens no more. */
export type Launch = (resources: AsyncDisposableStack, ending: AbortSignal) => Promise<void>;

/**
 * Launches, lives until a signal comes, and takes everything down again, in a bounded time and
 * whatever state it is in; returns the exit code.
 * @throws what the launch failed of, once what it had opened is closed
 */
export async function liveUntilSignal(
  renderer: Pick<Renderer, "note" | "close">,
  launch: Launch,
): Promise<number> {
  const ending = new AbortController();
  const resources = new AsyncDisposableStack();
  const signalled = waitForEnd();
  const launched = launch(resources, ending.signal);
  const reason = await Promise.race([
    signalled,
    launched.then(
      () => signalled,
      () => null,
    ),
  ]);
  ending.abort();
  renderer.close();
  if (reason !== null) renderer.note(`${reason}: finishing work under way, selling nothing …`);
  // A launch under way is waited for: what it opens meanwhile has to be closed too.
  const closed = closeAfter(launched, resources);
  try {
    if (await isDoneWithin(STOP_MS, closed)) {
      renderer.note("stopped, nothing sold: strategies go on from here");
      return EXIT.done;
    }
    renderer.note(`not stopped within ${STOP_MS / 1000} s, cut short: what is committed is safe`);
    return EXIT.failed;
  } finally {
    // Whatever still hangs must not keep the process: its exit code is set by then.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

async function closeAfter(launched: Promise<void>, resources: AsyncDisposable): Promise<void> {
  try {
    await launched;
  } finally {
    await resources[Symbol.asyncDispose]();
  }
}

async function isDoneWithin(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  // What fails after it was cut short has been said already.
  work.catch(() => undefined);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

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
