import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { watchOver } from "./watchdog.ts";

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

type Settings = Readonly<Record<string, string>>;

/** A program that hangs must not outlive its test. */
const LIMIT_MS = 50_000;

/** Runs a program of ours to its end. */
export async function runProgram(
  program: string,
  given: readonly string[] = [],
  settings: Settings = {},
): Promise<Ended> {
  const { child, ended } = launch(program, given, settings);
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  try {
    return await ended;
  } finally {
    clearTimeout(limit);
  }
}

export interface RunningProgram extends AsyncDisposable {
  /** What it has printed so far. */
  readonly stdout: string;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a program of ours; it is killed at the end of its scope should it still run. */
export function startProgram(
  program: string,
  given: readonly string[] = [],
  settings: Settings = {},
): RunningProgram {
  const { child, ended, output } = launch(program, given, settings);
  return {
    get stdout() {
      return output.stdout;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function launch(program: string, given: readonly string[], settings: Settings) {
  const child: ChildProcess = spawn(process.execPath, [file(program), ...given], {
    // Only what the test says: a DATABASE_URL or TROUPE_… of the shell must not leak in.
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
      NO_COLOR: "1",
      ...settings,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  const dismiss = child.pid === undefined ? undefined : watchOver(child.pid);
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => {
      dismiss?.();
      resolve({ code, ...output });
    });
  });
  return { child, ended, output };
}
