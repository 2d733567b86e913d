// Where everything meets: adapters are put behind the engine's ports, and one object opens and closes
// it all. `main` and `cli` (and tests and benches) start from here.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino, type Logger } from "pino";
import { openReplayFeed } from "#adapters/bundled-feed.ts";
import { createChannelRegistry, type ChannelRegistry } from "#adapters/channel-registry.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { barsOf } from "#tools/bars.ts";
import { observeMarket } from "#tools/observe-market.ts";
import { listTools } from "#tools/registry.ts";
import { TECHNICAL_BARS } from "#tools/technical-reading.ts";
import { createWorkQueue } from "#adapters/pg-boss-queue.ts";
import { createReplayClock } from "#adapters/replay-clock.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createAgentRegistry, type AgentRegistry } from "#agents/registry.ts";
import type { Config } from "#config/config.ts";
import { createDecisionRegistry, type DecisionRegistry } from "#decisions/registry.ts";
import { errorDetail } from "#domain/error-detail.ts";
import { InvalidInputError } from "#domain/errors.ts";
import { newsEveryMs, timeframeMs } from "#domain/timeframe.ts";
import { Engine } from "#engine/engine.ts";
import { DEFAULT_SETTINGS, type EngineSettings } from "#engine/dependencies.ts";
import { createAlertLog, loggedJournal, loggedStore } from "#engine/event-log.ts";
import { openDatabase, type Database } from "#persistence/database.ts";
import { OutageWatch } from "#persistence/database-watch.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import { migrate } from "#persistence/migrations.ts";
import { checkStatements } from "#persistence/raw-statements.ts";
import { syncRegistries } from "#persistence/repositories/registries.repository.ts";
import { FAILPOINTS, noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { DatabaseWatch } from "#ports/database-watch.ts";
import type { MarketFeed } from "#ports/market-feed.ts";
import type { ScheduledDefinition } from "#ports/store.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { createServices, type Services } from "#services/services.ts";
import { shardThreads, slotsFor, threadCount } from "./threads.ts";

const CANDLES = fileURLToPath(new URL("../data/candles", import.meta.url));
/** Bars of the shortest timeframe before the replay's first tick, so that the agents can read it. */
const WARM_UP_BARS = TECHNICAL_BARS;

/** The store and what is built directly on it; enough for commands that run no engine. */
export interface OpenStore extends AsyncDisposable {
  database: Database;
  queue: WorkQueue;
  services: Services;
  failpoint: OnFailpoint;
  watch: DatabaseWatch;
}

export interface Troupe extends OpenStore {
  engine: Engine;
  feed: MarketFeed;
  clock: ReturnType<typeof createReplayClock>;
}

export interface OpenOptions {
  config: Config;
  logger: Logger;
  settings?: Partial<EngineSettings>;
  /** Members per shard. */
  shardSize?: number;
  /** What definitions may name, where that is not what comes with the product. */
  registries?: Partial<Registries>;
}

export interface Registries {
  agents: AgentRegistry;
  channels: ChannelRegistry;
  decisions: DecisionRegistry;
}

/**
 * Opens, locks and migrates the database, and checks it.
 * @throws DomainError DATA_FOLDER_TAKEN, SCHEMA_MISMATCH
 */
export async function openStore(options: OpenOptions): Promise<OpenStore> {
  const { config, logger, shardSize } = options;
  const { agents, channels, decisions } = registriesOf(options);
  const resources = new AsyncDisposableStack();
  const failpoint = failpointsOf(config);
  try {
    const database = await openConfigured(config, resources);
    await migrate(database);
    await checkStatements(database);
    const watch = resources.use(new OutageWatch({ database, logger, timer: systemTimer }));
    const queue = createWorkQueue({
      database:
        database.pglite === undefined
          ? {
              kind: "postgres",
              connectionString: config.databaseUrl ?? "",
              openSocket: () => database.openSocket(),
            }
          : { kind: "pglite", client: database.pglite },
      logger,
      watch,
      tuning: { heartbeatSeconds: config.heartbeatSeconds },
    });
    const services = createServices({
      database,
      queue,
      decisions,
      channels,
      shardSize: shardSize ?? (database.kind === "postgres" ? 100 : 50),
      failpoint,
      watch,
      timer: systemTimer,
    });
    resources.defer(async () => {
      await services.retention.stop();
    });
    await services.definitions.sync(bundledDefinitions);
    await syncRegistries(database, { agents: agents.list(), tools: listTools() });
    return {
      database,
      queue,
      services,
      failpoint,
      watch,
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** Everything, engine included, opened and not yet started. */
export async function openTroupe(options: OpenOptions): Promise<Troupe> {
  const { config, logger } = options;
  const count = options.registries === undefined ? threadCount(config) : 0;
  const feed = await openFeed(config);
  const store = await openStore(options);
  const settings: EngineSettings = {
    ...DEFAULT_SETTINGS,
    shardSlots: store.database.kind === "postgres" ? slotsFor(count) : 1,
    ...options.settings,
  };
  try {
    const engineStore = createEngineStore(store.database, store.queue, store.failpoint);
    const clock = await openClock(config, feed, engineStore);
    const tell = createAlertLog({ logger, timer: systemTimer });
    const engine = new Engine({
      clock,
      timer: systemTimer,
      store: loggedStore(engineStore, tell, { clock, logger }),
      journal: loggedJournal(createJournal(store.database, store.failpoint), tell),
      queue: store.queue,
      ...registriesOf(options),
      observe: (request) => observeMarket({ feed, ...request }),
      bars: (request) => barsOf(feed, request),
      feed,
      logger,
      failpoint: store.failpoint,
      watch: store.watch,
      settings,
      threads: shardThreads({ count, config, settings, clock, logger, queue: store.queue }),
    });
    store.services.onChange(() => engine.nudge());
    return { ...store, engine, feed, clock };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

function registriesOf({ registries = {} }: OpenOptions): Registries {
  return {
    agents: registries.agents ?? createAgentRegistry(),
    channels: registries.channels ?? createChannelRegistry(),
    decisions: registries.decisions ?? createDecisionRegistry(),
  };
}

export function createLogger(config: Config, destination?: string): Logger {
  const options = {
    level: config.logLevel,
    redact: ["*.password", "*.apiKey", "*.secret"],
    // An error has no fields that JSON shows.
    serializers: {
      error: (error: unknown) => (error instanceof Error ? errorDetail(error) : error),
    },
  };
  return destination === undefined
    ? pino(options)
    : pino(options, pino.destination({ dest: destination, mkdir: true, sync: false }));
}

/** The configured database, locked if it is a folder, as it is: nothing is migrated. */
export async function openConfigured(
  config: Config,
  resources: AsyncDisposableStack,
): Promise<Database> {
  if (config.databaseUrl !== undefined) {
    const { databaseUrl: url, heartbeatSeconds } = config;
    return resources.use(await openDatabase({ kind: "postgres", url, heartbeatSeconds }));
  }
  await mkdir(config.dataDir, { recursive: true });
  // PGlite itself does not notice a second process, and would lose what it writes.
  resources.use(await lockFolder(config.dataDir));
  return resources.use(
    await openDatabase({ kind: "pglite", dataDir: join(config.dataDir, "pglite") }),
  );
}

/** @throws DomainError INVALID_DATA_FILE */
export function openFeed(config: Config): Promise<MarketFeed> {
  const file = config.replayFile;
  if (file === undefined) return openReplayFeed({ folder: CANDLES });
  const isPath = file.includes("/") || file.includes("\\");
  return isPath
    ? openReplayFeed({ folder: CANDLES, own: [{ path: file }] })
    : openReplayFeed({ folder: CANDLES, files: [file] });
}

/** The replay goes on at the newest tick anybody ran, so a restart continues where it stood. */
async function openClock(
  config: Config,
  feed: MarketFeed,
  store: ReturnType<typeof createEngineStore>,
): Promise<ReturnType<typeof createReplayClock>> {
  const { range } = feed;
  if (range === null) throw new InvalidInputError("INVALID_DATA_FILE", "a replay needs an end");
  const scheduled = await store.scheduledDefinitions();
  const stoodAt = Math.max(...scheduled.map(({ lastScheduledFor }) => lastScheduledFor ?? 0), 0);
  const [symbol = ""] = feed.symbols;
  const bars = await feed.candles(symbol, range.to, Number.MAX_SAFE_INTEGER);
  const barMs = shortestBars(feed, scheduled);
  const from = bars[0]?.openAt ?? range.from;
  const readable = (Math.ceil(from / barMs) + WARM_UP_BARS) * barMs;
  return createReplayClock({
    // Too short for anybody to read, it is played whole: each cycle says how many bars are missing.
    start: Math.max(stoodAt, readable <= range.to ? readable : range.from),
    end: range.to,
    ticksPerSecond: config.replaySpeed,
    timer: systemTimer,
  });
}

/** Of the templates there are, ms: whose agents can read the recording first. */
function shortestBars(feed: MarketFeed, scheduled: readonly ScheduledDefinition[]): number {
  const stepMs = newsEveryMs(feed.symbols, feed) ?? 1;
  const active = scheduled.filter(({ definition }) => definition.isActive);
  const bars = active.map(({ definition }) => Math.max(stepMs, timeframeMs(definition)));
  return bars.length === 0 ? stepMs : Math.min(...bars);
}

/** Kills this process where `TROUPE_CRASH_AT` says; each thread counts for itself. */
export function failpointsOf({ crashAt }: Config): OnFailpoint {
  if (crashAt === undefined) return noFailpoints;
  if (!FAILPOINTS.some((failpoint) => failpoint === crashAt.failpoint)) {
    const message = `TROUPE_CRASH_AT: expected one of ${FAILPOINTS.join(", ")}, was ${crashAt.failpoint}`;
    throw new InvalidInputError("INVALID_CONFIG", message);
  }
  let left = crashAt.occurrence;
  return (failpoint) => {
    if (failpoint !== crashAt.failpoint) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, crashAt.signal);
  };
}
