// Whether strategies get threads of their own, and how those are started.
import { availableParallelism } from "node:os";
import { systemTimer } from "#adapters/system-timer.ts";
import type { ReplayRecording } from "#adapters/replay-feed.ts";
import { startThread } from "#adapters/worker-thread.ts";
import type { Config } from "#config/config.ts";
import { InvalidInputError } from "#domain/errors.ts";
import type { EnginePorts, EngineSettings } from "#engine/dependencies.ts";
import type { FromThread, ToThread } from "#engine/threads/messages.ts";
import { ShardThreads } from "#engine/threads/shard-threads.ts";

/** What a shard thread is started with. */
export interface ShardThreadData {
  config: Config;
  databaseUrl: string;
  settings: EngineSettings;
  /** Its bars are in shared memory: no thread has a copy. */
  recording: ReplayRecording;
}

export interface ShardThreadOptions extends Pick<
  EnginePorts,
  "clock" | "logger" | "queue" | "settings"
> {
  count: number;
  config: Config;
  recording: ReplayRecording;
}

const PROGRAM = new URL("./shard-thread-main.ts", import.meta.url);

/** Shards under way at a time: while some compute, others wait for the database. */
export function slotsFor(threads: number): number {
  return 4 + 4 * threads;
}

/** Half of the cores: the other half is for the database, and for the main thread. */
export function defaultThreads(): number {
  return Math.max(1, Math.floor(availableParallelism() / 2));
}

/**
 * As many as `TROUPE_ENGINE_THREADS` says, or as suit the machine. None on the embedded database, which lives in the main thread.
 * @throws InvalidInputError INVALID_CONFIG
 */
export function threadCount({ databaseUrl, engineThreads }: Config): number {
  if (databaseUrl !== undefined) {
    return engineThreads ?? defaultThreads();
  }
  if (engineThreads === null || engineThreads === 0) return 0;
  const message =
    "TROUPE_ENGINE_THREADS: expected 0, for the embedded database lives in one thread; " +
    `was ${engineThreads}. Set DATABASE_URL to use threads.`;
  throw new InvalidInputError("INVALID_CONFIG", message);
}

/** Started once the engine asks for them; null: none, strategies share the main thread. */
export function shardThreads(options: ShardThreadOptions): NonNullable<EnginePorts["threads"]> {
  const { clock, config, count, logger, queue: outbox, recording, settings } = options;
  const { databaseUrl } = config;
  if (count === 0 || databaseUrl === undefined) return () => null;
  const data: ShardThreadData = { config, databaseUrl, settings, recording };
  const start = () => startThread<ToThread, FromThread>(PROGRAM, data);
  return (listener) =>
    new ShardThreads({ count, start, clock, timer: systemTimer, logger, outbox, listener });
}
