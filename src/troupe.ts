// Where everything meets: adapters are put behind the engine's ports, and one object opens and closes
// it all. `main` and `cli` (and tests and benches) start from here.
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino, type Logger } from "pino";
import { createChannelRegistry, type ChannelRegistry } from "#adapters/channel-registry.ts";
import { lockFolder } from "#adapters/folder-lock.ts";
import { barsOf } from "#tools/bars.ts";
import { observeMarket } from "#tools/observe-market.ts";
import { listTools } from "#tools/registry.ts";
import { TECHNICAL_BARS } from "#tools/technical-reading.ts";
import { createWorkQueue, type QueueDatabase } from "#adapters/pg-boss-queue.ts";
import { createReplayClock } from "#adapters/replay-clock.ts";
import { createReplayFeed, type ReplayRecording } from "#adapters/replay-feed.ts";
import { readRecording as readFiles } from "#adapters/replay-files.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createAgentRegistry, type AgentRegistry } from "#agents/registry.ts";
import type { Config } from "#config/config.ts";
import { createDecisionRegistry, type DecisionRegistry } from "#decisions/registry.ts";
import { errorDetail } from "#domain/error-detail.ts";
import { errorMessage, InvalidInputError, InvariantError } from "#domain/errors.ts";
import { newsEveryMs, timeframeMs } from "#domain/timeframe.ts";
import { Engine } from "#engine/engine.ts";
import { DEFAULT_SETTINGS, type EngineSettings } from "#engine/dependencies.ts";
import { createAlertLog, loggedJournal, loggedStore } from "#engine/event-log.ts";
import { openDatabase, type Database } from "#persistence/database.ts";
import { OutageWatch } from "#persistence/database-watch.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import { migrate, type LockHolder } from "#persistence/migrations.ts";
import { checkStatements } from "#persistence/raw-statements.ts";
import { syncRegistries } from "#persistence/repositories/registries.repository.ts";
import { RoomWatch } from "#persistence/room-watch.ts";
import { FAILPOINTS, noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { DatabaseWatch } from "#ports/database-watch.ts";
import type { RecordedFeed } from "#ports/market-feed.ts";
import { type StorageRoom, unlimitedRoom } from "#ports/storage-room.ts";
import type { ScheduledDefinition } from "#ports/store.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { replayNotes } from "#services/replay-notes.ts";
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
  room: StorageRoom;
}

export interface Troupe extends OpenStore {
  engine: Engine;
  feed: RecordedFeed;
  clock: ReturnType<typeof createReplayClock>;
  /** What an operator must know of the replay, one line each. */
  notes: readonly string[];
}

export interface OpenOptions {
  config: Config;
  logger: Logger;
  /** Shows a line to whoever waits for the start. */
  note?: (line: string) => void;
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
    await migrate(database, (holder) => tellWait(options, holder));
    await checkStatements(database);
    const watch = resources.use(new OutageWatch({ database, logger, timer: systemTimer }));
    const room = roomOf({ database, logger }, resources);
    const queue = createWorkQueue({
      database: queueDatabaseOf(database),
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
      room,
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
      room,
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
  const recording = await readRecording(config);
  const feed = createReplayFeed(recording);
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
      room: store.room,
      settings,
      threads: shardThreads({
        count,
        config,
        recording,
        settings,
        clock,
        logger,
        queue: store.queue,
      }),
    });
    store.services.onChange(() => engine.nudge());
    const definitions = await store.services.definitions.list();
    const channels = registriesOf(options).channels.list();
    const notes = replayNotes(feed.recordings, { definitions, channels });
    return { ...store, engine, feed, clock, notes };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** A disk is watched where it is this machine's. */
function roomOf(
  { database, logger }: { database: Database; logger: Logger },
  resources: AsyncDisposableStack,
): StorageRoom {
  const { room } = database;
  if (room === unlimitedRoom) return room;
  return resources.use(new RoomWatch({ database, room, logger, timer: systemTimer }));
}

function tellWait({ logger, note }: OpenOptions, holder: LockHolder): void {
  const line = waitingFor(holder);
  logger.warn(holder, line);
  note?.(line);
}

/** Why a start, or a migration, does not go on. */
export function waitingFor({ application, pid, since }: LockHolder): string {
  const name = application === null ? "" : ` (${application})`;
  const time = since === null ? "" : ` since ${since}`;
  return (
    `waiting: server process ${pid}${name} holds the migration lock${time}; ` +
    `end that program, or: select pg_terminate_backend(${pid})`
  );
}

/** The queue's way into the same database. */
export function queueDatabaseOf({
  connection,
  pglite,
  queueSchema: schema,
}: Database): QueueDatabase {
  if (pglite !== undefined) return { kind: "pglite", client: pglite, schema };
  if (connection === undefined) throw new InvariantError("a database without a way in");
  return { kind: "postgres", connection, schema };
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
  if (destination === undefined) return pino(options);
  assertWritable(destination);
  return pino(options, pino.destination({ dest: destination, sync: false }));
}

/** The log is opened later and by itself: what it fails of then could not be told any more. */
function assertWritable(logFile: string): void {
  try {
    closeSync(openSync(logFile, "a"));
  } catch (error) {
    const message = `the log cannot be written: ${errorMessage(error)}; remove what is in its place`;
    throw new InvalidInputError("INVALID_CONFIG", message, { cause: error });
  }
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
  // PGlite itself does not notice a second process, and would lose what it writes.
  resources.use(await lockFolder(config.dataDir));
  return resources.use(await openDatabase({ kind: "pglite", dataDir: pgliteFolderOf(config) }));
}

/** Of the embedded database. */
export function pgliteFolderOf({ dataDir }: Config): string {
  return join(dataDir, "pglite");
}

/** The bars a configuration says to replay. @throws InvalidInputError INVALID_DATA_FILE */
export function readRecording(config: Config): Promise<ReplayRecording> {
  return readFiles({ bundled: CANDLES, files: config.replayFile, step: config.replayStep });
}

/** @throws InvalidInputError INVALID_DATA_FILE */
export async function openFeed(config: Config): Promise<RecordedFeed> {
  return createReplayFeed(await readRecording(config));
}

/** The replay goes on at the newest tick anybody ran, so a restart continues where it stood. */
async function openClock(
  config: Config,
  feed: RecordedFeed,
  store: ReturnType<typeof createEngineStore>,
): Promise<ReturnType<typeof createReplayClock>> {
  const scheduled = await store.scheduledDefinitions();
  const stoodAt = Math.max(...scheduled.map(({ lastScheduledFor }) => lastScheduledFor ?? 0), 0);
  if (stoodAt > feed.range.to) throw endsBefore(config, feed, stoodAt);
  const from = Math.min(...feed.recordings.map((recording) => recording.from));
  const { to } = feed.range;
  const barMs = shortestBars(feed, scheduled);
  const readable = (Math.ceil(from / barMs) + WARM_UP_BARS) * barMs;
  return createReplayClock({
    // Too short for anybody to read, it is played whole: each cycle says how many bars are missing.
    start: Math.max(stoodAt, readable <= to ? readable : feed.range.from),
    end: to,
    ticksPerSecond: config.replaySpeed,
    timer: systemTimer,
  });
}

/** Of the templates there are, ms: whose agents can read the recording first. */
function shortestBars(feed: RecordedFeed, scheduled: readonly ScheduledDefinition[]): number {
  const stepMs = newsEveryMs(feed.symbols, feed) ?? 1;
  const active = scheduled.filter(({ definition }) => definition.isActive);
  const bars = active.map(({ definition }) => Math.max(stepMs, timeframeMs(definition)));
  return bars.length === 0 ? stepMs : Math.min(...bars);
}

/** Time does not run backwards in what is stored: nothing of such a recording could be played. */
function endsBefore(config: Config, feed: RecordedFeed, stoodAt: number): InvalidInputError {
  const files = feed.recordings.flatMap((recording) => recording.files).join(", ");
  const [end, stands] = [feed.range.to, stoodAt].map((at) => new Date(at).toISOString());
  const where = config.databaseUrl === undefined ? config.dataDir : "the database";
  const message = [
    `${files} ends at ${end}, but the replay stored in ${where} stands at ${stands}`,
    "replay a file that goes on after that, or start anew with another",
    config.databaseUrl === undefined ? "TROUPE_DATA_DIR" : "DATABASE_URL",
  ];
  return new InvalidInputError("INVALID_DATA_FILE", `${message[0]}; ${message[1]} ${message[2]}`);
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
