import type { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { differences, historyOf, type Query, violations } from "#support/invariants.ts";
import { type LogLine, type RunningEngine, startEngine } from "#support/running-engine.ts";
import { type CrashTemplate, seededTemplate } from "../crash/support/crash-stores.ts";
import { runToEnd } from "../crash/support/engine-run.ts";
import { openReplays, type Replays } from "../crash/support/replays.ts";

const TICKS = 12;
/** Members per shard: six shards for twelve strategies. */
const SHARD_SIZE = 2;
const THREADS = { TROUPE_ENGINE_THREADS: "2" };

let template: CrashTemplate;
let replays: Replays;

beforeAll(async () => {
  template = await seededTemplate("postgres", { shardSize: SHARD_SIZE });
  replays = await openReplays();
});

afterAll(async () => {
  await template[Symbol.asyncDispose]();
  await replays[Symbol.asyncDispose]();
});

test("strategies in threads of their own leave the rows they leave in the main one", async () => {
  const replay = { TROUPE_REPLAY_FILE: await replays.ofTicks(TICKS) };
  const histories = [];
  for (const threads of [{}, THREADS]) {
    await using store = await template.copy();
    await runToEnd({ mode: "run" }, { ...store.environment, ...replay, ...threads });
    histories.push(await store.inspect((query) => historyOf(query)));
  }
  const [inMain = {}, inThreads = {}] = histories;
  expect(inMain["strategy_compose_cycles"]).toHaveLength(12 * TICKS);
  expect(differences(inMain, inThreads)).toEqual([]);
});

test("on the embedded database, which lives in one thread, they are refused", async () => {
  const refused = startEngine({ environment: THREADS });
  await expect(refused).rejects.toThrow("TROUPE_ENGINE_THREADS: expected 0");
});

describe("an engine with threads", () => {
  const workers: Worker[] = [];
  const logged: LogLine[] = [];
  const remember = (worker: Worker) => void workers.push(worker);
  let resources: AsyncDisposableStack;
  let engine: RunningEngine;
  let query: Query;
  let environment: Record<string, string>;

  beforeEach(async () => {
    resources = new AsyncDisposableStack();
    process.on("worker", remember);
    const store = resources.use(await template.copy());
    environment = { ...store.environment, ...THREADS };
    engine = await start();
  });

  afterEach(async () => {
    await resources.disposeAsync();
    process.off("worker", remember);
    workers.length = 0;
    logged.length = 0;
  });

  async function start(): Promise<RunningEngine> {
    const onLog = (line: LogLine) => void logged.push(line);
    const started = resources.use(await startEngine({ speed: 40, environment, onLog }));
    query = (statement, params) => started.troupe.database.sql.rows(statement, params);
    return started;
  }

  const least = async (): Promise<number> => {
    const [row] = await query("select min(cycle_index)::int as n from strategies");
    return Number(row?.["n"]);
  };

  test("goes on when one of them dies in the midst of its work", async () => {
    await vi.waitFor(async () => expect(await least()).toBeGreaterThan(3), { timeout: 30_000 });
    expect(workers).toHaveLength(2);
    await workers[0]?.terminate();
    const before = await least();
    await vi.waitFor(async () => expect(await least()).toBeGreaterThan(before + 5), {
      timeout: 30_000,
    });
    expect(workers).toHaveLength(3);
    expect(logged.map(({ msg }) => msg)).toContain("a shard thread ended, starting another");
    await engine.troupe.engine.stop("the test looks at what is stored");
    expect(await violations(query)).toEqual([]);
  });

  test("carries out a stop, shows what it committed, and resumes at the next start", async () => {
    const { services, engine: running } = engine.troupe;
    await vi.waitFor(async () => expect(await least()).toBeGreaterThan(2), { timeout: 30_000 });
    const [first] = running.live.all();
    const strategyId = first?.strategyId ?? "";
    await services.strategies.stop(strategyId, {
      closePositions: true,
      reason: "asked by the test",
      actor: "test",
    });
    await vi.waitFor(() => expect(running.live.get(strategyId)?.state).toBe("stopped"), {
      timeout: 10_000,
    });

    await running.stop("planned");
    const rows = await query("select id, state, cycle_index from strategies");
    for (const { id, cycle_index: cycleIndex, state } of rows) {
      expect(state).toBe(id === strategyId ? "stopped" : "cancelled");
      expect(running.live.get(String(id))).toMatchObject({ state, cycleIndex });
    }

    await engine[Symbol.asyncDispose]();
    const next = await start();
    const shown = next.troupe.engine.live.all();
    expect(shown.filter(({ state }) => state === "running")).toHaveLength(11);
    await vi.waitFor(
      async () => {
        const [row] = await query(
          "select min(cycle_index)::int as n from strategies where id <> $1",
          [strategyId],
        );
        expect(Number(row?.["n"])).toBeGreaterThan(Number(rows[0]?.["cycle_index"]));
      },
      { timeout: 30_000 },
    );
  });
});
