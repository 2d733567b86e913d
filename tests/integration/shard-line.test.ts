import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { openClaimDesk } from "#adapters/pg-boss/claim-desk.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { DEFAULT_SETTINGS, type EnginePorts } from "#engine/dependencies.ts";
import { serveShards } from "#engine/threads/serve-shards.ts";
import { ShardThreads } from "#engine/threads/shard-threads.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type { ClaimDesk } from "#ports/work-queue.ts";
import { buy, type EngineFixture, HandClock, scriptedAgent, startEngine } from "#support/engine.ts";
import { lineTo } from "#support/shard-line.ts";
import { openTestStore, type TestStore } from "#support/test-store.ts";

const WAIT = { timeout: 20_000, interval: 50 };
const noQueue = { send: () => Promise.reject(new Error("no queue")) };
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let store: TestStore;

beforeAll(async () => {
  store = await openTestStore("postgres");
});
afterAll(() => store[Symbol.asyncDispose]());

test("behind the line to a shard thread, what fails too often is escalated by its group", async () => {
  let broken: string | null = null;
  const failpoint = (name: string) => {
    if (name === broken) throw new Error("a bug of ours");
  };
  await using desk = await openDesk();
  await using troupe = await startEngine(store, { threads: threadsWith(desk, failpoint) });
  const [id = ""] = await troupe.create(await troupe.define(), "a");
  await troupe.tick();
  broken = "decision.before";
  for (let failures = 0; failures < 5; failures += 1) await troupe.tick();
  expect((await troupe.strategy(id))["state"]).toBe("running");
  await troupe.tick();
  await troupe.until(id, "stopped");
  expect(await troupe.strategy(id)).toMatchObject({ stop_reason: "error" });
  await expect.poll(() => kinds(troupe), WAIT).toEqual(["strategy_stopped"]);

  broken = null;
  await troupe.resumeStrategy(id);
  broken = "fanout.shard-taken";
  const at = troupe.clock.step();
  await vi.waitFor(async () => {
    await deliverAgain(troupe);
    expect(await kinds(troupe)).toEqual(["shard_failing", "strategy_stopped"]);
  }, WAIT);
  broken = null;
  await deliverAgain(troupe);
  await troupe.closed(at, 20_000);
  expect((await troupe.cycles(id)).at(-1)).toMatchObject({ status: "completed" });
});

function threadsWith(desk: ClaimDesk, failpoint: OnFailpoint): EnginePorts["threads"] {
  const { database } = store;
  const ports = {
    timer: systemTimer,
    store: createEngineStore(database, noQueue),
    journal: createJournal(database),
    channels: createChannelRegistry(),
    decisions: createDecisionRegistry([scriptedAgent("steady", () => buy("1"))]),
    observe: () => Promise.reject(new Error("nothing is looked at")),
    failpoint,
    settings: DEFAULT_SETTINGS,
  };
  const start = () =>
    lineTo((line) => serveShards({ ports, desk, line, onClose: () => undefined }));
  const clock = new HandClock(true);
  const parts = { count: 1, start, clock, timer: systemTimer, logger: silent };
  return (listener) => new ShardThreads({ ...parts, outbox: noQueue, listener });
}

/** The queues it looks up are there once an engine has started. */
async function openDesk(): Promise<ClaimDesk> {
  const first = await startEngine(store);
  await first.stop();
  return openClaimDesk({ connectionString: store.url ?? "", logger: silent });
}

async function kinds(troupe: EngineFixture): Promise<unknown[]> {
  return (await troupe.alerts()).map(({ kind }) => kind);
}

/** Messages that wait for their next try need not wait any longer. */
async function deliverAgain(troupe: EngineFixture): Promise<void> {
  await troupe.rows("update pgboss.job set start_after = now() where state = 'retry'");
  troupe.engine.nudge();
}
