// One strategy of many is broken in one way; what its siblings store is what they store without it.
import { hash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Decision } from "#domain/decision.ts";
import {
  buy,
  type Decide,
  type EngineFixture,
  hold,
  startEngine,
  SYMBOL,
} from "#support/engine.ts";
import {
  differences,
  type History,
  historyOf,
  type Query,
  violations,
} from "#support/invariants.ts";
import type { StoreKind, TestStore } from "#support/test-store.ts";
import { type Herd, ODD, openHerd } from "./support/herd.ts";

const isLong = process.env["TROUPE_FAULTS"] === "all";
const herds: [StoreKind, { size: number; shardSize: number }][] = isLong
  ? [
      ["postgres", { size: 1_000, shardSize: 100 }],
      ["pglite", { size: 250, shardSize: 50 }],
    ]
  : [["postgres", { size: 100, shardSize: 25 }]];
const TICK_MS = 60_000;
/** Everything that is no strategy's own. */
const SHARED = ["shards", "ticks", "alerts"];

type Answer = () => unknown;

/** Each gets half a coin more at each tick; the odd one does as it is told. */
const deciding =
  (odd: Answer = () => buy("0.5")): Decide =>
  ({ params }) =>
    params.role === ODD ? (odd() as Decision) : buy("0.5", { state: { bought: true } });

describe.each(herds)("one of many on %s (%o)", (kind, shape) => {
  let herd: Herd;
  let healthy: History;

  beforeAll(async () => {
    herd = await openHerd(kind, { ...shape, decide: deciding() });
    await using store = await herd.copy();
    await using troupe = await secondTick(store);
    expect(await troupe.ticks()).toMatchObject([{}, { cycles: herd.size, failures: 0 }]);
    await troupe.stop();
    healthy = await siblings(store);
  }, 180_000);

  afterAll(() => herd[Symbol.asyncDispose]());

  describe("whose decision is worth nothing gets a failed cycle", () => {
    test.each<[string, Answer, RegExp]>([
      ["for it throws", () => failing("no idea"), /no decision: no idea/],
      ["for it has the wrong shape", () => ({ ...hold(), items: "all" }), /items that are no list/],
      ["for its state holds NaN", () => hold({ state: { streak: NaN } }), /state\.streak.*NaN/],
      [
        "for it reports Infinity",
        () => hold({ details: { at: [1 / 0] } }),
        /details\.at\.0.*Infinity/,
      ],
    ])("%s", async (_why, odd, reason) => {
      await using store = await herd.copy();
      await using troupe = await secondTick(store, deciding(odd));
      await expectFailed(troupe, reason);
      await expectUntouched(troupe);
    });

    test("for the database refuses its order", async () => {
      await using store = await herd.copy();
      await store.database.sql.run(
        `alter table strategy_instructions add constraint nothing_for_the_odd_one
         check (strategy_id <> '${herd.odd}') not valid`,
      );
      await using troupe = await secondTick(store);
      await expectFailed(troupe, /not recorded by the database.*nothing_for_the_odd_one/s);
      await expectUntouched(troupe);
    });

    test("for its params are no longer what the agent takes", async () => {
      await using store = await herd.copy();
      await store.database.sql.run(
        `update strategies set instance_params = '{"role": 7}', params_version = 2 where id = $1`,
        [herd.odd],
      );
      await using troupe = await secondTick(store);
      await expectFailed(troupe, /INVALID_PARAMS.*role/s);
      await expectUntouched(troupe);
    });
  });

  test.each(["NaN", "Infinity"])(
    "that orders %s gets no order, and the reason",
    async (quantity) => {
      await using store = await herd.copy();
      await using troupe = await secondTick(
        store,
        deciding(() => buy(quantity)),
      );
      const [, cycle] = await troupe.cycles(herd.odd);
      expect(cycle).toMatchObject({ status: "completed", cycle_index: 2 });
      expect(cycle?.["rationale"]).toContain(`not ordered: open_long ${quantity} ${SYMBOL}: `);
      await expectUntouched(troupe);
    },
  );

  describe("whose stored state is worth nothing is stopped", () => {
    const sealed = `encode(sha256(convert_to(
      machine || chr(10) || version || chr(10) || value || chr(10) || snapshot, 'UTF8')), 'hex')`;
    const changed = (what: string) => [`set ${what}`, `set hash = ${sealed}`];

    test.each<[string, string[], RegExp]>([
      ["for it is no JSON", changed("snapshot = left(snapshot, 40)"), /unreadable/],
      ["for its hash is another", [`set hash = '${hash("sha256", "x")}'`], /hash_mismatch/],
      [
        "for its machine is unknown",
        changed("machine = 'clockwork'"),
        /unknown_machine.*clockwork/,
      ],
      ["for its version is unknown", changed("version = 99"), /unknown_version.*99/],
      [
        "for its state is unknown",
        changed(
          `value = 'asleep', snapshot = regexp_replace(snapshot, '"value":"[a-z]+"', '"value":"asleep"')`,
        ),
        /unknown state "asleep"/,
      ],
    ])("%s", async (_why, changes, reason) => {
      await using store = await herd.copy();
      const intact = await snapshotOf(store);
      for (const change of changes) await changeSnapshot(store, change);
      const broken = await snapshotOf(store);
      await using troupe = await secondTick(store);
      await expectStopped(troupe, "snapshot_unusable", reason);
      expect(await snapshotOf(store)).toEqual(broken);
      // Repaired: now the accounts can be read again.
      const { machine, version, value, hash: digest, snapshot } = intact;
      await changeSnapshot(
        store,
        "set (machine, version, value, hash, snapshot) = ($2, $3, $4, $5, $6)",
        [machine, version, value, digest, snapshot],
      );
      await expectUntouched(troupe);
    });

    test("for its money cannot be valued", async () => {
      await using store = await herd.copy();
      const position = `{context,ledger,positions,${SYMBOL},quantity}`;
      const snapshot = `jsonb_set(snapshot::jsonb, '${position}', '"0"')::text`;
      for (const change of changed(`snapshot = ${snapshot}`)) await changeSnapshot(store, change);
      await using troupe = await secondTick(store);
      await expectStopped(troupe, "strategy_stopped", /cannot open a cycle/);
      await expectUntouched(troupe, { without: [/a snapshot/, /I1: cash/] });
    });
  });

  test("that never answers is recorded as timed out, and nobody waits for it", async () => {
    await using store = await herd.copy();
    const never: Answer = () => new Promise(() => undefined);
    await using troupe = await startEngine(store, {
      decisions: { decide: deciding(never) },
      settings: { decisionTimeoutMs: isLong ? 30_000 : 2_000 },
    });
    const at = troupe.clock.step(2);
    const [tick] = await vi.waitFor(async () => {
      const found = await troupe.rows(
        `select t.status, count(c.*)::int as cycles from ticks t
         join strategy_compose_cycles c on c.tick_id = t.id where t.scheduled_for = $1 group by 1`,
        [new Date(at).toISOString()],
      );
      expect(found[0]?.["cycles"]).toBeGreaterThanOrEqual(herd.size - 1);
      return found;
    }, TICK_MS);
    expect(tick).toEqual({ status: "running", cycles: herd.size - 1 });
    await troupe.closed(at, TICK_MS);
    await expectFailed(troupe, /no decision within/);
    await expectUntouched(troupe);
  });

  async function secondTick(store: TestStore, decide = deciding()): Promise<EngineFixture> {
    const troupe = await startEngine(store, { decisions: { decide } });
    // The first tick is stored: this is the second.
    await troupe.closed(troupe.clock.step(2), TICK_MS);
    return troupe;
  }

  async function expectFailed(troupe: EngineFixture, reason: RegExp): Promise<void> {
    const { size, odd } = herd;
    const [, tick] = await troupe.ticks();
    expect(tick).toMatchObject({ status: "completed", cycles: size, failures: 1 });
    const [, cycle] = await troupe.cycles(odd);
    expect(cycle).toMatchObject({ status: "failed", cycle_index: 2 });
    expect(`${String(cycle?.["rationale"])} ${JSON.stringify(cycle?.["error"])}`).toMatch(reason);
    expect(await troupe.strategy(odd)).toMatchObject({ state: "running" });
    expect(await troupe.alerts()).toEqual([]);
  }

  async function expectStopped(
    troupe: EngineFixture,
    alert: string,
    reason: RegExp,
  ): Promise<void> {
    const { size, odd } = herd;
    const [, tick] = await troupe.ticks();
    expect(tick).toMatchObject({ status: "completed", cycles: size - 1, failures: 0 });
    const stopped = { state: "stopped", desired_status: "stopped", stop_reason: "error" };
    const found = await troupe.strategy(odd);
    expect(found).toMatchObject({ ...stopped, cycle_index: 1 });
    expect(found["stop_reason_detail"]).toMatch(reason);
    expect(await troupe.alerts()).toMatchObject([{ kind: alert, subject: odd, occurrences: 1 }]);
  }

  /** Whatever belongs to the siblings is, to the letter, what they have without the odd one's fault. */
  async function expectUntouched(
    troupe: EngineFixture,
    { without = [] }: { without?: RegExp[] } = {},
  ): Promise<void> {
    await troupe.stop();
    expect(differences(healthy, await siblings(troupe.store))).toEqual([]);
    const found = await violations(queryOf(troupe.store));
    const ofSiblings = found.filter((line) => !without.some((rule) => rule.test(line)));
    expect(ofSiblings).toEqual([]);
  }

  async function changeSnapshot(
    { database }: TestStore,
    change: string,
    params: readonly unknown[] = [],
  ): Promise<void> {
    const statement = `update actor_snapshots ${change} where strategy_id = $1`;
    await database.sql.run(statement, [herd.odd, ...params]);
  }

  async function snapshotOf({ database }: TestStore): Promise<Record<string, unknown>> {
    const rows = await database.sql.rows("select * from actor_snapshots where strategy_id = $1", [
      herd.odd,
    ]);
    return { ...rows[0] };
  }

  async function siblings(store: TestStore): Promise<History> {
    const history = await historyOf(queryOf(store));
    return Object.fromEntries(
      Object.entries(history)
        .filter(([table]) => !SHARED.includes(table))
        .map(([table, rows]) => [table, rows.filter((row) => !row.includes(herd.odd))]),
    );
  }
});

test.runIf(isLong)("one of ten thousand that never answers keeps nobody waiting", async () => {
  const shape = { size: 10_000, shardSize: 100, decide: deciding() };
  await using herd = await openHerd("postgres", shape);
  await using store = await herd.copy();
  const never: Answer = () => new Promise(() => undefined);
  await using troupe = await startEngine(store, { decisions: { decide: deciding(never) } });
  const at = troupe.clock.step(2);
  const counted = async () => {
    const [row] = await troupe.rows(
      `select count(*)::int as cycles, count(*) filter (where c.status = 'failed')::int as failed
       from strategy_compose_cycles c join ticks t on t.id = c.tick_id where t.scheduled_for = $1`,
      [new Date(at).toISOString()],
    );
    return row;
  };
  await vi.waitFor(
    async () => expect(await counted()).toEqual({ cycles: herd.size - 1, failed: 0 }),
    { timeout: 120_000, interval: 250 },
  );
  expect((await troupe.ticks())[1]).toMatchObject({ status: "running" });
  await troupe.closed(at, 120_000);
  expect(await counted()).toEqual({ cycles: herd.size, failed: 1 });
  const [, cycle] = await troupe.cycles(herd.odd);
  expect(cycle).toMatchObject({ status: "failed", error: { code: "PORT_TIMEOUT" } });
});

function queryOf({ database }: TestStore): Query {
  return async (statement, params) =>
    (await database.sql.rows(statement, params)).map((row) => ({ ...row }));
}

function failing(message: string): never {
  throw new Error(message);
}
