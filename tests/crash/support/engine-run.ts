import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { watchOver } from "#support/watchdog.ts";
import type { Later } from "./kill-plan.ts";
import type { Report } from "./reports.ts";

export interface Orders {
  mode: "seed" | "run" | "serve";
  shardSize?: number;
  hardCases?: boolean;
  control?: { wish: "stop" | "resume"; name: string; commandId: string };
}

export interface EndedRun {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  reports: Report[];
  /** What it wrote on stderr. */
  complaints: string;
}

export interface EngineRun extends AsyncDisposable {
  child: ChildProcess;
  reports: readonly Report[];
  /** How many cycles it has committed so far. */
  readonly cycles: number;
  ended: Promise<EndedRun>;
  /** Resolves with the first report of that kind. */
  heard(event: Report["event"]): Promise<Report>;
  /** Kills it some time after it has restored its actors, or after its first cycles. */
  killLater(later: Later): void;
}

const PROGRAM = fileURLToPath(new URL("engine-process.ts", import.meta.url));
/** A process that neither dies nor ends in so much time hangs, however busy the machine. */
const LIMIT_MS = 600_000;

/** Starts the engine process; disposing of it, or aborting the signal, kills what still runs. */
export function startRun(
  orders: Orders,
  environment: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): EngineRun {
  signal?.throwIfAborted();
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(orders)], {
    env: {
      PATH: process.env["PATH"],
      TROUPE_REPLAY_SPEED: "max",
      TROUPE_LOG_LEVEL: "warn",
      TROUPE_HEARTBEAT_SECONDS: "2",
      // Its actors are looked at from the main thread.
      TROUPE_ENGINE_THREADS: "0",
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const dismiss = child.pid === undefined ? undefined : watchOver(child.pid);
  const reports: Report[] = [];
  const logged: string[] = [];
  const heard = new EventEmitter();
  createInterface(child.stdout).on("line", (line) => {
    const parsed = parse(line);
    if (parsed === null) {
      logged.push(line);
      return;
    }
    reports.push(parsed);
    heard.emit(parsed.event);
  });
  child.stderr.on("data", (chunk: Buffer) => logged.push(chunk.toString()));
  const kill = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", kill, { once: true });
  const limit = setTimeout(() => {
    logged.push(`killed: it neither died nor ended within ${LIMIT_MS / 1000} s`);
    child.kill("SIGABRT");
  }, LIMIT_MS);
  const ended = once(child, "close")
    .finally(() => {
      clearTimeout(limit);
      signal?.removeEventListener("abort", kill);
      dismiss?.();
    })
    .then(() => ({
      exitCode: child.exitCode,
      signal: child.signalCode,
      reports,
      complaints: logged.join("\n"),
    }));
  return {
    child,
    reports,
    get cycles() {
      const newest = reports.findLast((report) => report.event === "worked");
      return newest?.event === "worked" ? newest.cycles : 0;
    },
    ended,
    async heard(event) {
      const isIt = (report: Report): boolean => report.event === event;
      if (!reports.some(isIt)) await Promise.race([once(heard, event), ended]);
      const found = reports.find(isIt);
      if (found === undefined) throw new Error(`it ended before "${event}":\n${logged.join("\n")}`);
      return found;
    },
    killLater({ ms, after }) {
      heard.once(after, () => setTimeout(() => child.kill("SIGKILL"), ms).unref());
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Null for a line of the log, and for one that a kill has cut short. */
function parse(line: string): Report | null {
  try {
    const parsed: Report | { level: number } = JSON.parse(line);
    return "event" in parsed ? parsed : null;
  } catch {
    return null;
  }
}

/** Runs it to its own end. @throws what it complained of, unless it exits with 0 */
export async function runToEnd(
  orders: Orders,
  environment: Readonly<Record<string, string>>,
): Promise<EndedRun> {
  await using run = startRun(orders, environment);
  const ended = await run.ended;
  if (ended.exitCode === 0) return ended;
  throw new Error(`the engine ended with ${ended.exitCode ?? ended.signal}:\n${ended.complaints}`);
}
