import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FencedError } from "#domain/errors.ts";
import { type Database } from "#persistence/database.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { MemberWrite } from "#ports/store.ts";
import { recordingClaim, recordingQueue } from "#support/recording-queue.ts";
import {
  commitOf,
  cycleOf,
  envelopeAt,
  populate,
  type Population,
  writeOf,
} from "#support/store-fixtures.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const historyTables = [
  "strategy_compose_cycles",
  "strategy_instructions",
  "strategy_details",
  "strategy_portfolio_views",
  "strategy_holdings",
];

let shards = 0;

describe.each(storeKinds)("the journal on %s", (kind) => {
  let store: TestStore;
  let database: Database;

  beforeAll(async () => {
    store = await openTestStore(kind);
    ({ database } = store);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  /** A shard of its own for each test. */
  async function shardOf(count: number): Promise<Population & { shardId: string }> {
    shards += 1;
    const population = await populate(database, { count, name: `definition ${shards}` });
    const heads = await createEngineStore(database, recordingQueue()).shardHeads();
    const head = heads.find(({ definitionId }) => definitionId === population.definition.id);
    if (head === undefined) throw new Error("no shard");
    return { ...population, shardId: head.id };
  }

  async function countsOf(strategyIds: readonly string[]): Promise<number[]> {
    const counts: number[] = [];
    for (const table of historyTables) {
      const [row] = await database.sql.rows(
        `select count(*)::int as n from ${table} where strategy_id = any($1::uuid[])`,
        [strategyIds],
      );
      counts.push(Number(row?.["n"]));
    }
    return counts;
  }

  async function strategyOf(strategyId: string) {
    const [row = {}] = await database.sql.rows(
      `select s.state, s.desired_status, s.stop_reason, s.cycle_index, a.seq::int as seq,
         trim_scale(s.total_value)::text as total_value, trim_scale(s.total_pnl)::text as total_pnl
       from strategies s join actor_snapshots a on a.strategy_id = s.id where s.id = $1`,
      [strategyId],
    );
    return row;
  }

  const versionOf = async (shardId: string) =>
    (await createEngineStore(database, recordingQueue()).shardHead(shardId))?.version;

  const writesOf = (strategyIds: readonly string[], cycleIndex = 1): MemberWrite[] =>
    strategyIds.map((id) => writeOf(id, cycleOf(id, cycleIndex)));

  test("a commit stores every part of every cycle and moves the version", async () => {
    const { shardId, strategyIds } = await shardOf(5);
    const claim = recordingClaim();
    const result = await createJournal(database).commit({
      ...commitOf(shardId, 0, writesOf(strategyIds)),
      claim,
    });
    expect(result).toMatchObject({ version: 1, rosterVersion: 1 });
    expect(result.stored).toHaveLength(5);
    expect(claim.calls).toEqual(["settle"]);
    expect(await countsOf(strategyIds)).toEqual([5, 15, 15, 5, 15]);
    expect(await strategyOf(strategyIds[0] ?? "")).toMatchObject({
      cycle_index: 1,
      seq: 1,
      total_value: "10012.5",
      total_pnl: "12.5",
    });
  });

  test("the number of statements does not grow with the number of cycles", async () => {
    const { shardId, strategyIds } = await shardOf(60);
    const journal = createJournal(database);
    const run = async (version: number, ids: readonly string[]) => {
      store.statements.length = 0;
      await journal.commit(commitOf(shardId, version, writesOf(ids, version + 1)));
      return store.statements.length;
    };
    const [first = "", ...rest] = strategyIds;
    expect(await run(0, [first])).toBe(await run(1, rest));
  });

  test("a stop without a cycle changes the state and leaves money and history alone", async () => {
    const { shardId, strategyIds } = await shardOf(1);
    const [strategyId = ""] = strategyIds;
    const journal = createJournal(database);
    await journal.commit(commitOf(shardId, 0, writesOf(strategyIds)));
    const stop: MemberWrite = {
      strategyId,
      state: "stopped",
      stopReason: "normal_exit",
      stopReasonDetail: "asked for",
      envelope: envelopeAt(strategyId, 1),
      seq: 2,
      cycle: null,
    };
    await journal.commit(commitOf(shardId, 1, [stop]));
    expect(await strategyOf(strategyId)).toMatchObject({
      state: "stopped",
      desired_status: "stopped",
      stop_reason: "normal_exit",
      cycle_index: 1,
      total_value: "10012.5",
    });
    expect(await countsOf(strategyIds)).toEqual([1, 3, 3, 1, 3]);
  });

  describe("I1 whole", () => {
    test("a cycle with one row that cannot be stored leaves nothing behind", async () => {
      const { shardId, strategyIds } = await shardOf(1);
      const [strategyId = ""] = strategyIds;
      const result = await createJournal(database).commit(
        commitOf(shardId, 0, [badHolding(strategyId)]),
      );
      expect(await countsOf(strategyIds)).toEqual([0, 0, 0, 0, 0]);
      expect(result.stored).toMatchObject([{ state: "stopped", stopReason: "error", seq: 0 }]);
      expect(await strategyOf(strategyId)).toMatchObject({
        state: "stopped",
        desired_status: "stopped",
        cycle_index: 0,
        seq: 0,
      });
    });

    test("an error that no row caused leaves nothing of anybody", async () => {
      const { shardId, strategyIds } = await shardOf(3);
      const claim = recordingClaim(() => new Error("queue table is gone"));
      const commit = { ...commitOf(shardId, 0, writesOf(strategyIds)), claim };
      await expect(createJournal(database).commit(commit)).rejects.toThrow("queue table is gone");
      expect(await countsOf(strategyIds)).toEqual([0, 0, 0, 0, 0]);
      expect(await versionOf(shardId)).toBe(0);
    });
  });

  describe("I2 once", () => {
    test("the same cycle again changes nothing and reports what is stored", async () => {
      const { shardId, strategyIds } = await shardOf(3);
      const journal = createJournal(database);
      await journal.commit(commitOf(shardId, 0, writesOf(strategyIds)));
      const replay = await journal.commit(commitOf(shardId, 1, writesOf(strategyIds)));
      expect(replay.stored).toMatchObject(
        strategyIds.map((strategyId) => ({ strategyId, state: "running", seq: 1, cycle: null })),
      );
      expect(await countsOf(strategyIds)).toEqual([3, 9, 9, 3, 9]);
    });

    test("a snapshot that is not newer than the stored one changes nothing", async () => {
      const { shardId, strategyIds } = await shardOf(2);
      const [late = "", sibling = ""] = strategyIds;
      const journal = createJournal(database);
      await journal.commit(commitOf(shardId, 0, writesOf(strategyIds)));
      const writes = [
        { ...writeOf(late, cycleOf(late, 2)), seq: 1 },
        writeOf(sibling, cycleOf(sibling, 2)),
      ];
      const result = await journal.commit(commitOf(shardId, 1, writes));
      expect(result.stored).toMatchObject([{ seq: 1, cycle: null }, { seq: 2 }]);
      expect(await countsOf([late])).toEqual([1, 3, 3, 1, 3]);
      expect(await countsOf([sibling])).toEqual([2, 6, 6, 2, 6]);
    });

    test("a second cycle for the same tick collides, whatever its number", async () => {
      const { shardId, strategyIds } = await shardOf(1);
      const [id = ""] = strategyIds;
      const tickId = "00000000-0000-5000-8000-000000000001";
      const journal = createJournal(database);
      const write = (index: number) => writeOf(id, cycleOf(id, index, { tickId }));
      await journal.commit(commitOf(shardId, 0, [write(1)]));
      const again = await journal.commit(commitOf(shardId, 1, [write(2)]));
      expect(again.stored).toMatchObject([{ state: "running", seq: 1, cycle: null }]);
      expect(await countsOf(strategyIds)).toEqual([1, 3, 3, 1, 3]);
    });
  });

  describe("I6 alone in failure", () => {
    test.each([1, 3])("%i that cannot be stored of 100 do not touch the others", async (bad) => {
      const { shardId, strategyIds } = await shardOf(100);
      const culprits = strategyIds.slice(40, 40 + bad * 20).filter((_, index) => index % 20 === 0);
      const writes = writesOf(strategyIds).map((write) =>
        culprits.includes(write.strategyId) ? badHolding(write.strategyId) : write,
      );
      const refused: string[] = [];
      const result = await createJournal(database).commit({
        ...commitOf(shardId, 0, writes),
        replace: (write) => {
          refused.push(write.strategyId);
          return failed(write.strategyId);
        },
      });
      expect(refused).toEqual(culprits);
      expect(result.stored.map(({ strategyId }) => strategyId)).toEqual(strategyIds);
      const healthy = strategyIds.filter((id) => !culprits.includes(id));
      expect(await countsOf(healthy)).toEqual([1, 3, 3, 1, 3].map((n) => n * healthy.length));
      expect(await countsOf(culprits)).toEqual([bad, 0, 0, bad, 3 * bad]);
      expect(await versionOf(shardId)).toBe(1);
    });

    test("one whose failure cannot be stored either is stopped, with an alert", async () => {
      const { shardId, strategyIds } = await shardOf(4);
      const [culprit = "", ...siblings] = strategyIds;
      const writes = [badHolding(culprit), ...writesOf(siblings)];
      const result = await createJournal(database).commit({
        ...commitOf(shardId, 0, writes),
        replace: (write) => badHolding(write.strategyId),
      });
      expect(result.stored[0]).toMatchObject({ state: "stopped", stopReason: "error", seq: 0 });
      expect(await countsOf(siblings)).toEqual([3, 9, 9, 3, 9]);
      const alerts = await database.sql.rows(
        "select kind, severity from alerts where strategy_id = $1",
        [culprit],
      );
      expect(alerts).toEqual([{ kind: "strategy_not_storable", severity: "error" }]);
    });

    test.each([
      ["a text with a zero byte", { rationale: "bad \0 byte" }],
      ["half of a surrogate pair", { rationale: "bad \ud800 half" }],
      ["a time that is none", { composeTime: Number.NaN }],
      ["a number larger than the column", { paramsVersion: 2 ** 40 }],
    ])("%s is the fault of its own cycle", async (_name, part) => {
      const { shardId, strategyIds } = await shardOf(3);
      const writes = writesOf(strategyIds).map((write, index) =>
        index === 1 && write.cycle !== null
          ? { ...write, cycle: { ...write.cycle, ...part } }
          : write,
      );
      const result = await createJournal(database).commit(commitOf(shardId, 0, writes));
      expect(result.stored.map(({ state }) => state)).toEqual(["running", "stopped", "running"]);
    });

    test("a tick counts the cycles stored and the failures, not what was hoped", async () => {
      const { shardId, strategyIds } = await shardOf(4);
      const tickId = "00000000-0000-5000-8000-000000000002";
      await database.sql.run("update shards set fanned_tick_id = $2 where id = $1", [
        shardId,
        tickId,
      ]);
      const [culprit = "", ...siblings] = strategyIds;
      const bad = badHolding(culprit, tickId);
      const writes = [bad, ...siblings.map((id) => writeOf(id, cycleOf(id, 1, { tickId })))];
      await createJournal(database).commit({ ...commitOf(shardId, 0, writes), tickId });
      const [row] = await database.sql.rows(
        "select settled_tick_id, settled_cycles, settled_failures from shards where id = $1",
        [shardId],
      );
      expect(row).toEqual({ settled_tick_id: tickId, settled_cycles: 3, settled_failures: 1 });
    });
  });

  describe("I7 fenced", () => {
    test("a stale version changes nothing", async () => {
      const { shardId, strategyIds } = await shardOf(2);
      const journal = createJournal(database);
      await journal.commit(commitOf(shardId, 0, writesOf(strategyIds)));
      const late = journal.commit(commitOf(shardId, 0, writesOf(strategyIds, 2)));
      await expect(late).rejects.toThrow(FencedError);
      expect(await countsOf(strategyIds)).toEqual([2, 6, 6, 2, 6]);
      expect(await versionOf(shardId)).toBe(1);
    });

    test("a tick that was closed without the shard changes nothing", async () => {
      const { shardId, strategyIds } = await shardOf(2);
      const closed = "00000000-0000-5000-8000-000000000003";
      const late = { ...commitOf(shardId, 0, writesOf(strategyIds)), tickId: closed };
      await expect(createJournal(database).commit(late)).rejects.toThrow(FencedError);
      expect(await countsOf(strategyIds)).toEqual([0, 0, 0, 0, 0]);
      expect(await versionOf(shardId)).toBe(0);
    });

    test("a lost claim changes nothing, not even the version", async () => {
      const { shardId, strategyIds } = await shardOf(2);
      const claim = recordingClaim(() => new FencedError("claim is gone"));
      const commit = { ...commitOf(shardId, 0, writesOf(strategyIds)), claim };
      await expect(createJournal(database).commit(commit)).rejects.toThrow(FencedError);
      expect(await countsOf(strategyIds)).toEqual([0, 0, 0, 0, 0]);
      expect(await versionOf(shardId)).toBe(0);
    });

    test("of two nodes with the same version one commits", async () => {
      const { shardId, strategyIds } = await shardOf(20);
      const journal = createJournal(database);
      const outcomes = await Promise.allSettled([
        journal.commit(commitOf(shardId, 0, writesOf(strategyIds))),
        journal.commit(commitOf(shardId, 0, writesOf(strategyIds))),
      ]);
      const [lost] = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(lost?.reason).toBeInstanceOf(FencedError);
      expect(await countsOf(strategyIds)).toEqual([20, 60, 60, 20, 60]);
    });

    test("a commit with more to come confirms its claim instead of settling it", async () => {
      const { shardId, strategyIds } = await shardOf(1);
      const claim = recordingClaim();
      const commit = { ...commitOf(shardId, 0, writesOf(strategyIds)), claim, finish: false };
      await createJournal(database).commit(commit);
      expect(claim.calls).toEqual(["hold"]);
    });
  });

  test("commits of different shards at once wait for each other without a deadlock", async () => {
    const populations = await Promise.all(Array.from({ length: 6 }, () => shardOf(10)));
    const journal = createJournal(database);
    await Promise.all(
      populations.map(({ shardId, strategyIds }) =>
        journal.commit(commitOf(shardId, 0, writesOf(strategyIds))),
      ),
    );
    for (const { strategyIds } of populations) {
      expect(await countsOf(strategyIds)).toEqual([10, 30, 30, 10, 30]);
    }
  });
});

/** Its cycle is in order but for the last of its rows. */
function badHolding(strategyId: string, tickId: string | null = null): MemberWrite {
  const cycle = cycleOf(strategyId, 1, { tickId });
  const holdings = cycle.view.holdings.map((holding, index) =>
    index === 2 ? { ...holding, notional: `1${"0".repeat(30)}` } : holding,
  );
  return writeOf(strategyId, { ...cycle, view: { ...cycle.view, holdings } });
}

function failed(strategyId: string): MemberWrite {
  const cycle = cycleOf(strategyId, 1, { orders: 0 });
  const error = { code: "INVARIANT", message: "not storable" };
  return writeOf(strategyId, { ...cycle, status: "failed", error });
}
