import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { createTRPCClient, createWSClient, httpLink, splitLink, wsLink } from "@trpc/client";
import { pino, type Logger } from "pino";
import { z } from "zod";
import type { AppRouter } from "#api/router.ts";
import { startApi } from "#api/server.ts";
import { readConfig, type Config } from "#config/config.ts";
import type { EngineSettings } from "#engine/dependencies.ts";
import { createChangeFeed } from "#services/change-feed.ts";
import { createEngineMonitor } from "#services/engine-monitor.ts";
import { createLogger, openTroupe, type Troupe } from "../../src/troupe.ts";

export type ApiClient = ReturnType<typeof createTRPCClient<AppRouter>>;

export interface RunningEngine extends AsyncDisposable {
  url: string;
  troupe: Troupe;
  client: ApiClient;
}

export interface RunningEngineOptions {
  /** Ticks per second, or "max". */
  speed?: number | "max";
  /** A bundled candle file; the default one without a word. */
  replayFile?: string;
  /** False: opened and served, but no engine runs. */
  started?: boolean;
  settings?: Partial<EngineSettings>;
  /** Settings besides these, e.g. another database. */
  environment?: Readonly<Record<string, string>>;
  /** Sees each line of the log, from `warn` on; without it nothing is logged. */
  onLog?: (line: LogLine) => void;
}

export interface LogLine {
  level: number;
  msg: string;
  [detail: string]: unknown;
}

/** A whole engine with its API on a free port, on an embedded database of its own. */
export async function startEngine(options: RunningEngineOptions = {}): Promise<RunningEngine> {
  const resources = new AsyncDisposableStack();
  const dataDir = await temporaryFolder(resources);
  const config = readConfig({
    TROUPE_DATA_DIR: dataDir,
    TROUPE_PORT: "0",
    TROUPE_LOG_LEVEL: "silent",
    TROUPE_REPLAY_SPEED: String(options.speed ?? 20),
    TROUPE_REPLAY_FILE: options.replayFile ?? "",
    ...options.environment,
  });
  const logger = loggerOf(config, options);
  const troupe = resources.use(
    await openTroupe({ config, logger, settings: options.settings ?? {} }),
  );
  const { clock, engine, feed, services } = troupe;
  const elapsed = () => performance.now();
  const monitor = createEngineMonitor({
    live: engine.live,
    clock,
    feed,
    groups: () => engine.directory.groups(),
    elapsed,
  });
  const changes = createChangeFeed(engine.live);
  resources.defer(() => engine.stop("end of the test"));
  const api = resources.use(await startApi({ services, monitor, changes, logger }, config));
  if (options.started !== false) monitor.started(await engine.start());
  return {
    url: api.url,
    troupe,
    client: connect(api.url, resources),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function loggerOf(config: Config, { onLog }: RunningEngineOptions): Logger {
  if (onLog === undefined) return createLogger(config);
  return pino({ level: "warn" }, { write: (line) => onLog(logLine.parse(JSON.parse(line))) });
}

const logLine = z.looseObject({ level: z.number(), msg: z.string() });

/** A client as a user of the API has it: HTTP, and a WebSocket once something is subscribed to. */
export function connect(url: string, resources: AsyncDisposableStack): ApiClient {
  const socket = createWSClient({
    url: `${url.replace("http", "ws")}/trpc`,
    lazy: { enabled: true, closeMs: 0 },
  });
  resources.defer(() => socket.close());
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === "subscription",
        true: wsLink({ client: socket }),
        false: httpLink({ url: `${url}/trpc` }),
      }),
    ],
  });
}

/** An empty folder that is gone at the end. */
export async function temporaryFolder(resources: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-"));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
