// `npm start`: opens everything, shows it, and takes it down again without losing anything.
import { join, relative } from "node:path";
import { performance } from "node:perf_hooks";
import { makeFolder } from "#adapters/data-folder.ts";
import { assertLoopback } from "#api/guard.ts";
import { startApi } from "#api/server.ts";
import { readConfig, type Config } from "#config/config.ts";
import type { RecoveryReport } from "#engine/engine.ts";
import { logStops } from "#engine/event-log.ts";
import { createChangeFeed } from "#services/change-feed.ts";
import { createEngineMonitor, type EngineMonitor } from "#services/engine-monitor.ts";
import type { Logger } from "#ports/logger.ts";
import { createLogger, openTroupe, type OpenOptions } from "../troupe.ts";
import {
  createJsonRenderer,
  createPlainRenderer,
  createTableRenderer,
  type Renderer,
} from "./renderer.ts";
import { plural } from "./format.ts";
import { liveUntilSignal } from "./lifetime.ts";
import { createNames } from "./names.ts";
import { overviewOf } from "./overview.ts";
import { watchParent } from "./parent.ts";
import { report } from "./problem.ts";
import { seedWhenEmpty } from "./seed.ts";
import { POWER_CUT } from "./table-view.ts";

const END_LOOK_MS = 1_000;

export interface StartOptions {
  /** Create the demo strategies in an empty database. */
  demo: boolean;
  /** Draw the table when stdout is a terminal. */
  table: boolean;
  /** JSON lines on stdout, the log among them. */
  json: boolean;
}

/** What a build of one's own brings along. */
type OwnDependencies = Pick<OpenOptions, "registries">;

interface Stage extends StartOptions {
  config: Config;
  renderer: Renderer;
  /** Where the log goes; null: stdout. */
  logFile: string | null;
  own: OwnDependencies;
}

/** Runs the engine until a signal ends it; returns the exit code. */
export async function start(options: StartOptions, own: OwnDependencies = {}): Promise<number> {
  try {
    const config = readConfig(process.env);
    assertLoopback(config.host);
    const stage = { ...stageFor(config, options), own };
    return await liveUntilSignal(stage.renderer, (...means) => launch(stage, ...means));
  } catch (error) {
    return report(error, options);
  }
}

function stageFor(config: Config, options: StartOptions): Omit<Stage, "own"> {
  const out = process.stdout;
  const drawsTable = options.table && !options.json && out.isTTY;
  const plain = options.json ? createJsonRenderer(out) : createPlainRenderer(out);
  return {
    ...options,
    config,
    renderer: drawsTable ? createTableRenderer(out) : plain,
    logFile: drawsTable ? join(config.dataDir, "troupe.log") : null,
  };
}

/** Opens and starts everything; what it opened is on the stack, in order, also when it fails. */
async function launch(
  stage: Stage,
  resources: AsyncDisposableStack,
  ending: AbortSignal,
): Promise<void> {
  const { config, demo, renderer, logFile, own } = stage;
  renderer.note(`engine process ${process.pid}`);
  renderer.note(openingLine(config));
  if (logFile !== null) await makeFolder(config.dataDir);
  const logger = createLogger(quieted(stage), logFile ?? undefined);
  logger.info({ pid: process.pid, ...placeOf(config) }, "engine starts");
  resources.defer(() => logger.info({ pid: process.pid }, "engine stopped, nothing sold"));
  resources.use(watchParent((parent) => orphaned(parent, renderer, logger)));
  const troupe = resources.use(
    await openTroupe({ config, logger, note: (line) => renderer.note(line), ...own }),
  );
  const { clock, database, engine, feed, services } = troupe;
  if (database.kind === "pglite") renderer.note(POWER_CUT);
  for (const note of troupe.notes) renderer.note(note);
  if (ending.aborted) return;
  const elapsed = () => performance.now();
  const monitor = createEngineMonitor({
    live: engine.live,
    clock,
    feed,
    groups: () => engine.directory.groups(),
    elapsed,
  });
  const changes = createChangeFeed(engine.live);
  resources.defer(async () => {
    logger.info({ pid: process.pid }, "engine stops: a planned shutdown");
    await engine.stop("planned shutdown");
  });
  const api = resources.use(await startApi({ services, monitor, changes, logger }, config));
  resources.defer(() => monitor.stopping());

  const seeded = demo ? await seedWhenEmpty(services) : 0;
  if (seeded > 0) renderer.note(`created ${plural(seeded, "demo strategy")}`);
  if (ending.aborted) return;
  const recovery = await engine.start();
  if (ending.aborted) return;
  monitor.started(recovery);
  renderer.note(recoveryLine(recovery));
  logger.info({ ...recovery, url: api.url }, `engine runs: ${recoveryLine(recovery)}`);
  logStops(engine.live, logger);
  resources.use(watchEnd(monitor, logger));
  renderer.note(`API at ${api.url}, readiness at ${api.url}/readyz`);
  const names = await createNames(services);
  const definitions = await services.definitions.list();
  const source = (room: number) => ({
    ...overviewOf(monitor, names, room),
    notices: monitor.notices(definitions),
  });
  renderer.show(source, {
    database: database.kind,
    url: api.url,
    pid: process.pid,
    logFile: logFile === null ? "stdout" : relative(process.cwd(), logFile),
  });
}

/** Beside plain lines only what needs attention is logged; `--json` logs as configured. */
function quieted({ config, json, logFile }: Stage): Config {
  const isChatty = config.logLevel === "debug" || config.logLevel === "info";
  return !json && logFile === null && isChatty ? { ...config, logLevel: "warn" } : config;
}

function placeOf({ databaseUrl, dataDir, replaySpeed }: Config) {
  const database = databaseUrl === undefined ? dataDir : new URL(databaseUrl).host;
  return { database, replaySpeed: replaySpeed ?? "max" };
}

function orphaned(parent: number, renderer: Renderer, logger: Logger): void {
  const { pid } = process;
  const message = `process ${parent}, which started the engine, has ended; the engine goes on as process ${pid} (stop it with: kill ${pid})`;
  renderer.note(message);
  logger.warn({ parent, pid }, message);
}

/** Once, when the last recorded candle is played. */
function watchEnd(monitor: EngineMonitor, logger: Logger): Disposable {
  const timer = setInterval(() => {
    const { finished, to } = monitor.market();
    if (!finished) return;
    clearInterval(timer);
    logger.info({ to }, "replay at its end: no tick will come");
  }, END_LOOK_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function openingLine({ databaseUrl, dataDir }: Config): string {
  if (databaseUrl !== undefined) return `opening PostgreSQL at ${new URL(databaseUrl).host} …`;
  return `opening the embedded database in ${dataDir} (some seconds at the first start) …`;
}

function recoveryLine({ durationMs, openTicks, restored, resumed }: RecoveryReport): string {
  const parts = [`restored ${plural(restored, "strategy")} in ${durationMs} ms`];
  if (resumed > 0) parts.push(`resumed ${resumed} that a shutdown had interrupted`);
  if (openTicks > 0) parts.push(`${plural(openTicks, "tick")} under way`);
  return parts.join(", ");
}
