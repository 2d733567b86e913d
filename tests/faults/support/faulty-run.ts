// The product on a PostgreSQL whose network a test can break, from the seed to the end of a replay.
import { expect, vi } from "vitest";
import {
  differences,
  type History,
  historyOf,
  type Query,
  violations,
} from "#support/invariants.ts";
import {
  type LogLine,
  type RunningEngine,
  type RunningEngineOptions,
  startEngine,
} from "#support/running-engine.ts";
import { startTcpProxy, type TcpProxy } from "#support/tcp-proxy.ts";
import { type CrashTemplate, liveQuery } from "../../crash/support/crash-stores.ts";

/** Differ with the number of commits, which a disturbed run may have more of. */
const PER_COMMIT = ["seq", "version"];

export interface FaultyRun extends AsyncDisposable {
  engine: RunningEngine;
  proxy: TcpProxy;
  /** Asks the database itself, not by way of the proxy. */
  query: Query;
  databaseUrl: string;
  /** What was logged, warnings and worse. */
  log: readonly LogLine[];
  ready(): Promise<{ status: number; body: unknown }>;
  /** Waits until the replay has been played and every tick is closed. */
  finished(): Promise<void>;
  /** Invariants hold; the history without alerts, which are what a fault may add. */
  history(): Promise<History>;
  alerts(): Promise<Record<string, unknown>[]>;
}

export interface FaultyRunOptions extends Pick<
  RunningEngineOptions,
  "speed" | "settings" | "environment"
> {
  /** Done to the database before the engine is opened on it. */
  prepare?: (query: Query, databaseUrl: string) => Promise<void>;
  /** Threads that strategies run in; 0, the main one, unless told. */
  threads?: number;
}

/** Starts it on a copy of the template; `replay` is the candle file. */
export async function startFaultyRun(
  template: CrashTemplate,
  replay: string,
  { prepare, environment = {}, threads = 0, ...options }: FaultyRunOptions = {},
): Promise<FaultyRun> {
  const resources = new AsyncDisposableStack();
  const store = resources.use(await template.copy());
  const query = liveQuery(store);
  const databaseUrl = store.environment["DATABASE_URL"] ?? "";
  await prepare?.(query, databaseUrl);
  const proxy = resources.use(await startTcpProxy(databaseUrl));
  const log: LogLine[] = [];
  const engine = resources.use(
    await startEngine({
      speed: "max",
      ...options,
      environment: {
        DATABASE_URL: proxy.url,
        TROUPE_REPLAY_FILE: replay,
        TROUPE_ENGINE_THREADS: String(threads),
        ...environment,
      },
      onLog: (line) => log.push(line),
    }),
  );
  return {
    engine,
    proxy,
    query,
    databaseUrl,
    log,
    ready: () => readinessOf(engine.url),
    finished: () => vi.waitFor(() => expectFinished(engine, query), { timeout: 350_000 }),
    async history() {
      expect(await violations(query)).toEqual([]);
      const { alerts: _, ...history } = await historyOf(query, PER_COMMIT);
      return history;
    },
    alerts: () => query("select * from alerts order by kind, subject"),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Runs it without any fault. */
export async function undisturbed(template: CrashTemplate, replay: string): Promise<History> {
  await using run = await startFaultyRun(template, replay);
  await run.finished();
  expect(await run.alerts()).toEqual([]);
  expect(run.log).toEqual([]);
  return await run.history();
}

/** The run ends as if nothing had happened: no cycle is lost, doubled or failed. */
export async function expectSameEnd(run: FaultyRun, reference: History): Promise<void> {
  await run.finished();
  expect(differences(reference, await run.history())).toEqual([]);
}

async function readinessOf(url: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
}

async function expectFinished({ troupe }: RunningEngine, query: Query): Promise<void> {
  expect(troupe.clock.finished).toBe(true);
  const open = await query("select id, status from ticks where status in ('pending', 'running')");
  expect(open).toEqual([]);
}
