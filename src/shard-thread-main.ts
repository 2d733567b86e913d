// The program of a shard thread: the engine's shards and their actors, with database connections of
// their own, behind a line to the engine. It takes no messages from the queue and proposes no ticks.
import { workerData } from "node:worker_threads";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { openClaimDesk } from "#adapters/pg-boss/claim-desk.ts";
import { createReplayFeed } from "#adapters/replay-feed.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { startedBy } from "#adapters/worker-thread.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { InvariantError } from "#domain/errors.ts";
import type { FromThread, ToThread } from "#engine/threads/messages.ts";
import { serveShards } from "#engine/threads/serve-shards.ts";
import { openDatabase } from "#persistence/database.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import { observeMarket } from "#tools/observe-market.ts";
import type { ShardThreadData } from "./threads.ts";
import { failpointsOf, createLogger } from "./troupe.ts";

const { config, databaseUrl, recording, settings }: ShardThreadData = workerData;
const line = startedBy<FromThread, ToThread>();
const resources = new AsyncDisposableStack();
const failpoint = failpointsOf(config);
const feed = createReplayFeed(recording);
const database = resources.use(
  await openDatabase({
    kind: "postgres",
    url: databaseUrl,
    poolMax: settings.shardSlots,
    heartbeatSeconds: config.heartbeatSeconds,
  }),
);
const { connection, queueSchema: schema } = database;
if (connection === undefined) throw new InvariantError("a shard thread needs PostgreSQL");
const logger = createLogger(config);
const desk = resources.use(await openClaimDesk({ connection, schema, logger }));

serveShards({
  line,
  desk,
  ports: {
    timer: systemTimer,
    store: createEngineStore(database, { send: () => Promise.reject(noQueue()) }, failpoint),
    journal: createJournal(database, failpoint),
    channels: createChannelRegistry(),
    decisions: createDecisionRegistry(),
    observe: (request) => observeMarket({ feed, ...request }),
    failpoint,
    settings,
  },
  // What is under way is abandoned: uncommitted, so it never happened.
  onClose: () => void resources.disposeAsync().finally(() => process.exit()),
});

function noQueue(): InvariantError {
  return new InvariantError("a shard thread sends no messages");
}
