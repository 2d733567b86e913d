// Several engines on one PostgreSQL, each in a process and behind a network of its own, and the history
// that a single engine leaves on the same rows.
import { expect, vi } from "vitest";
import {
  differences,
  type History,
  historyOf,
  type Query,
  violations,
} from "#support/invariants.ts";
import { startTcpProxy, type TcpProxy } from "#support/tcp-proxy.ts";
import { type CrashTemplate, liveQuery, seededTemplate } from "../../crash/support/crash-stores.ts";
import { type EngineRun, runToEnd, startRun } from "../../crash/support/engine-run.ts";
import { openReplays } from "../../crash/support/replays.ts";

/** Differ with the number of boots, shutdowns and resumptions, which is not what this is about. */
const PER_BOOT = ["seq", "version", "roster_version"];
const SHARD_SIZE = 2;
const STRATEGIES = 12;
const DEFINITIONS = 2;

export interface Production extends AsyncDisposable {
  stage(pace: { ticksPerSecond: number; heartbeatSeconds?: number }): Promise<Crew>;
}

/** A seeded database, a replay of so many ticks, and what one engine makes of them. */
export async function produce(ticks: number): Promise<Production> {
  const resources = new AsyncDisposableStack();
  const template = resources.use(await seededTemplate("postgres", { shardSize: SHARD_SIZE }));
  const replays = resources.use(await openReplays());
  const replay = { TROUPE_REPLAY_FILE: await replays.ofTicks(ticks) };
  const reference = await historyOfOne(template, replay);
  return {
    async stage({ ticksPerSecond, heartbeatSeconds }) {
      const environment = {
        ...replay,
        TROUPE_REPLAY_SPEED: String(ticksPerSecond),
        ...(heartbeatSeconds === undefined
          ? {}
          : { TROUPE_HEARTBEAT_SECONDS: String(heartbeatSeconds) }),
      };
      return new Crew({ store: await template.copy(), environment, reference, ticks });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function historyOfOne(
  template: CrashTemplate,
  replay: Readonly<Record<string, string>>,
): Promise<History> {
  await using store = await template.copy();
  await runToEnd({ mode: "run" }, { ...store.environment, ...replay });
  const { alerts, ...history } = await store.inspect((query) => historyOf(query, PER_BOOT));
  expect(alerts).toEqual([]);
  return history;
}

/** An engine, and the network between it and the database. */
export interface Player {
  run: EngineRun;
  proxy: TcpProxy;
}

interface CrewParts {
  store: Awaited<ReturnType<CrashTemplate["copy"]>>;
  environment: Readonly<Record<string, string>>;
  reference: History;
  ticks: number;
}

export class Crew implements AsyncDisposable {
  readonly query: Query;
  readonly #parts: CrewParts;
  readonly #resources = new AsyncDisposableStack();

  constructor(parts: CrewParts) {
    this.#parts = parts;
    this.#resources.use(parts.store);
    this.query = liveQuery(parts.store);
  }

  /** Starts one more engine; resolves when it takes messages. */
  async join(environment: Readonly<Record<string, string>> = {}): Promise<Player> {
    const { store } = this.#parts;
    const proxy = this.#resources.use(await startTcpProxy(store.environment["DATABASE_URL"] ?? ""));
    const own = { DATABASE_URL: proxy.url, ...environment };
    const run = startRun({ mode: "serve" }, { ...this.#parts.environment, ...own });
    this.#resources.use(run);
    await run.heard("restored");
    return { run, proxy };
  }

  /** Plays the rest of the replay at full speed, and lets the engines leave one by one. */
  async finish(players: readonly Player[]): Promise<void> {
    const last = await this.join({ TROUPE_REPLAY_SPEED: "max" });
    await vi.waitFor(async () => expect(await this.isPlayed()).toBe(true), {
      timeout: 120_000,
      interval: 50,
    });
    for (const { run } of [...players, last]) {
      run.child.kill("SIGTERM");
      const ended = await run.ended;
      expect(ended, ended.complaints).toMatchObject({ exitCode: 0 });
    }
  }

  /** Exactly strategies × ticks cycles, no invariant broken, and every row as a single engine has it. */
  async expectHistoryOfOne(): Promise<void> {
    const { query } = this;
    const [counted] = await query("select count(*)::int as n from strategy_compose_cycles");
    expect(counted).toEqual({ n: STRATEGIES * this.#parts.ticks });
    expect(await violations(query)).toEqual([]);
    // One that was away past its heartbeat may find its connections ended, and say so.
    expect(await query("select * from alerts where kind <> 'database_unreachable'")).toEqual([]);
    const { alerts: _, ...history } = await historyOf(query, PER_BOOT);
    expect(differences(this.#parts.reference, history)).toEqual([]);
  }

  /** Every tick of the replay is closed. */
  async isPlayed(): Promise<boolean> {
    const [row] = await this.query(
      "select count(*)::int as n from ticks where status = 'completed'",
    );
    return row?.["n"] === DEFINITIONS * this.#parts.ticks;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}
