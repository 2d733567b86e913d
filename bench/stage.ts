// The product as the bench runs it: real stores, queue, agents, decisions, channels and journal; only
// the clock is ours, so that a tick begins when we say so.
import { fileURLToPath } from "node:url";
import { openReplayFeed } from "#adapters/bundled-feed.ts";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { barsOf } from "#tools/bars.ts";
import { observeMarket } from "#tools/observe-market.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createAgentRegistry } from "#agents/registry.ts";
import { readConfig, type Config } from "#config/config.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { DEFAULT_SETTINGS, type EnginePorts } from "#engine/dependencies.ts";
import { Engine } from "#engine/engine.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";
import { createLogger, openStore, type OpenStore } from "../src/troupe.ts";
import { shardThreads, slotsFor } from "../src/threads.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import { createSteppedClock, type SteppedClock } from "./stepped-clock.ts";

/** The recorded days from here on are busy ones: positions are opened and closed. */
export const START_AT = Date.UTC(2019, 5, 20);
const CANDLES = fileURLToPath(new URL("../data/candles", import.meta.url));

/** Where a database is: a PostgreSQL URL, or PGlite's data folder. */
export type Place = { kind: "postgres"; url: string } | { kind: "pglite"; folder: string };

export interface Stage {
  engine: Engine;
  clock: SteppedClock;
  recorder: Recorder;
  store: OpenStore;
  /** Runs per agent since the start. */
  agentRuns: ReadonlyMap<string, number>;
}

export interface StageOptions {
  place: Place;
  /** Simulated time at the start, ms UTC. */
  startAt: number;
  /** Every n-th commit is kept for the scenarios that repeat it; Infinity: none. */
  keepEveryNth: number;
  /** Threads for the strategies; none unless told: they share the main one. */
  threads?: number;
}

export function openPlace(place: Place): Promise<OpenStore> {
  const config = configOf(place);
  return openStore({ config, logger: createLogger(config) });
}

function configOf(place: Place): Config {
  return readConfig({
    TROUPE_LOG_LEVEL: "error",
    ...(place.kind === "postgres"
      ? { DATABASE_URL: place.url }
      : { TROUPE_DATA_DIR: place.folder }),
  });
}

/** Builds an engine on an open store; it is not started. */
export async function setStage(store: OpenStore, options: StageOptions): Promise<Stage> {
  const feed = await openReplayFeed({ folder: CANDLES });
  const clock = createSteppedClock(options.startAt);
  const recorder = createRecorder(createJournal(store.database), options.keepEveryNth);
  const agentRuns = new Map<string, number>();
  const agents = createAgentRegistry();
  const count = options.threads ?? 0;
  const settings = {
    ...DEFAULT_SETTINGS,
    shardSlots: options.place.kind === "postgres" ? slotsFor(count) : 1,
  };
  const logger = createLogger(readConfig({ TROUPE_LOG_LEVEL: "warn" }));
  const config = configOf(options.place);
  const start = shardThreads({ count, config, settings, clock, logger, queue: store.queue });
  const threads: EnginePorts["threads"] = (listener) =>
    start({
      ...listener,
      committed: (commit) => {
        recorder.heard(commit.changes.filter(({ cycle }) => cycle !== null).length);
        listener.committed(commit);
      },
    });
  const engine = new Engine({
    clock,
    timer: systemTimer,
    store: createEngineStore(store.database, store.queue),
    journal: recorder.journal,
    queue: store.queue,
    channels: createChannelRegistry(),
    decisions: createDecisionRegistry(),
    agents: { get: (name) => counted(agents.get(name), agentRuns) },
    observe: (request) => observeMarket({ feed, ...request }),
    bars: (request) => barsOf(feed, request),
    feed,
    logger,
    failpoint: () => undefined,
    watch: store.watch,
    settings,
    threads,
  });
  return { engine, clock, recorder, store, agentRuns };
}

function counted(agent: BusinessAgent, runs: Map<string, number>): BusinessAgent {
  return {
    ...agent,
    run: (context) => {
      runs.set(agent.name, (runs.get(agent.name) ?? 0) + 1);
      return agent.run(context);
    },
  };
}
