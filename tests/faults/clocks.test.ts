// The machine's clock is set while the engine runs: no tick twice, no backlog, no hour of waiting.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createSystemClock } from "#adapters/system-clock.ts";
import type { Clock } from "#ports/clock.ts";
import {
  type EngineFixture,
  FIRST_TICK,
  type NewDefinition,
  PERIOD_MS,
  startEngine,
  wipe,
} from "#support/engine.ts";
import { differences, historyOf, violations } from "#support/invariants.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";
import { liveQuery, seededTemplate } from "../crash/support/crash-stores.ts";
import { runToEnd } from "../crash/support/engine-run.ts";
import { openReplays } from "../crash/support/replays.ts";

const kinds = process.env["TROUPE_FAULTS"] === "all" ? storeKinds : (["postgres"] as const);
const HOUR = 3_600_000;
const PER_HOUR = HOUR / PERIOD_MS;

/** The two clocks of a machine; the test is the time that passes, and whoever sets the clock. */
class Machine {
  #wall = FIRST_TICK - PERIOD_MS / 2;
  #elapsed = 0;

  /** The clock as a process that starts now has it. */
  boot(): Clock {
    return createSystemClock({ wall: () => this.#wall, elapsed: () => this.#elapsed });
  }

  pass(ms: number): void {
    this.#wall += ms;
    this.#elapsed += ms;
  }

  set(ms: number): void {
    this.#wall += ms;
  }
}

describe.each(kinds)("a machine's clock on %s", (kind) => {
  let store: TestStore;
  let machine: Machine;
  let troupe: EngineFixture;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(async () => {
    await troupe.stop();
    expect(await violations((...question) => troupe.rows(...question))).toEqual([]);
    await wipe(store);
  });

  afterAll(() => store[Symbol.asyncDispose]());

  test("that is set forward an hour causes one tick, not the missed ones", async () => {
    await start();
    await pass(1);
    machine.set(HOUR);
    await settled(3);
    await pass(2);
    expect(await offsets()).toEqual([0, 1, 1 + PER_HOUR, 2 + PER_HOUR, 3 + PER_HOUR]);
  });

  test("that is set back an hour repeats nothing, and ticks go on", async () => {
    await start();
    await pass(1);
    machine.set(-HOUR);
    // Half as fast until it has caught up: six ticks in two hours, then one every ten minutes.
    await pass(PER_HOUR, 2 + PER_HOUR / 2);
    await pass(PER_HOUR, 2 + PER_HOUR);
    expect(await offsets()).toEqual(Array.from({ length: 2 + PER_HOUR }, (_, n) => n));
    await pass(2);
    expect(await offsets()).toEqual(Array.from({ length: 4 + PER_HOUR }, (_, n) => n));
  });

  test("that was an hour ahead and is put right while nobody runs does not stall the next start", async () => {
    await start();
    machine.set(HOUR);
    await settled(2);
    await troupe.stop();
    machine.set(-HOUR);
    await start({}, troupe);
    await pass(2, 3);
    expect(await offsets()).toEqual([0, PER_HOUR, 1 + PER_HOUR]);
  });

  test("that jitters about a boundary causes one tick for it", async () => {
    await start();
    machine.pass(PERIOD_MS / 2);
    await settled(2);
    for (const ms of [-1_000, 1_000, -2_000, 2_000]) {
      machine.set(ms);
      await looked();
    }
    expect(await offsets()).toEqual([0, 1]);
    await pass(1);
    expect(await offsets()).toEqual([0, 1, 2]);
  });

  test("that stood still for a day makes up for one tick, or for none where that is wanted", async () => {
    await start();
    await troupe.stop();
    machine.pass(24 * HOUR);
    await start({}, troupe);
    await settled(2);
    expect(await offsets()).toEqual([0, 24 * PER_HOUR]);
    await troupe.stop();
    machine.pass(24 * HOUR);
    await start({ catchUp: "skip" }, troupe);
    await looked();
    expect(await offsets()).toEqual([0, 24 * PER_HOUR]);
    await pass(1);
    expect(await offsets()).toEqual([0, 24 * PER_HOUR, 1 + 48 * PER_HOUR]);
  });

  /** The first time with one tick behind it, half a period after it. */
  async function start(changes: NewDefinition = {}, after?: EngineFixture): Promise<void> {
    if (after === undefined) machine = new Machine();
    else await after.define(changes);
    troupe = await startEngine(store, { clock: machine.boot() }, after);
    if (after !== undefined) return looked();
    await troupe.create(await troupe.define(changes), "a");
    machine.pass(PERIOD_MS / 2);
    await settled(1);
    machine.pass(PERIOD_MS / 2);
  }

  /** Time passes, period by period; afterwards there are so many ticks more, or in all. */
  async function pass(periods: number, inAll?: number): Promise<void> {
    const before = (await troupe.ticks()).length;
    for (let period = 1; period <= periods; period += 1) {
      machine.pass(PERIOD_MS);
      if (inAll === undefined) await settled(before + period);
      else await looked();
    }
    if (inAll !== undefined) await settled(inAll);
  }

  /** So many ticks are closed, and the scheduler has found nothing more to do. */
  async function settled(ticks: number): Promise<void> {
    await vi.waitFor(
      async () => {
        troupe.engine.nudge();
        const found = await troupe.ticks();
        expect(found.map(({ status }) => status)).toEqual(Array(ticks).fill("completed"));
      },
      { timeout: 10_000, interval: 20 },
    );
    await looked();
  }

  /** The scheduler has read the definitions at least twice since, and no tick is open. */
  async function looked(): Promise<void> {
    for (let look = 0; look < 2; look += 1) {
      store.statements.length = 0;
      troupe.engine.nudge();
      await vi.waitFor(
        () => {
          troupe.engine.nudge();
          const reads = store.statements.filter((text) => text.includes("as last_scheduled_for"));
          expect(reads.length).toBeGreaterThan(1);
        },
        { timeout: 10_000, interval: 5 },
      );
    }
    await vi.waitFor(async () => {
      const open = (await troupe.ticks()).filter(({ closed_at }) => closed_at === null);
      expect(open).toEqual([]);
    });
  }

  /** When each tick was scheduled, in periods since the first; each has its one cycle. */
  async function offsets(): Promise<number[]> {
    const ticks = await troupe.ticks();
    expect(ticks.map(({ status, cycles }) => ({ status, cycles }))).toEqual(
      ticks.map(() => ({ status: "completed", cycles: 1 })),
    );
    return ticks.map(({ scheduled_for: at }) => (Date.parse(String(at)) - FIRST_TICK) / PERIOD_MS);
  }
});

test("where clocks are put forward for summer, process and server store what they store in UTC", async () => {
  // The replay begins on 21 September 2019; Auckland's clocks went forward on the 29th.
  const TICKS = 12;
  const zone = "Pacific/Auckland";
  await using replays = await openReplays();
  await using template = await seededTemplate("postgres", { shardSize: 4 });
  const replay = { TROUPE_REPLAY_FILE: await replays.ofTicks(TICKS) };
  await using utc = await template.copy();
  await runToEnd({ mode: "run" }, { ...utc.environment, ...replay });

  await using local = await template.copy();
  const query = liveQuery(local);
  const [row] = await query("select current_database() as name");
  const database = `alter database ${String(row?.["name"])}`;
  await query(`${database} set timezone = '${zone}'`);
  await runToEnd({ mode: "run" }, { ...local.environment, ...replay, TZ: zone });
  await query(`${database} reset timezone`);

  const [inUtc, inZone] = [
    await utc.inspect((ask) => historyOf(ask)),
    await local.inspect((ask) => historyOf(ask)),
  ];
  const days = (inUtc["ticks"] ?? []).map((tick) =>
    String(JSON.parse(tick).scheduled_for).slice(0, 10),
  );
  expect(days).toEqual(expect.arrayContaining(["2019-09-28", "2019-09-29", "2019-09-30"]));
  expect(inUtc["strategy_compose_cycles"]).toHaveLength(12 * TICKS);
  expect(differences(inUtc, inZone)).toEqual([]);
});
