import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { DecisionInput } from "#domain/decision.ts";
import {
  type EngineFixture,
  type EngineOptions,
  FIRST_TICK,
  hold,
  type Params,
  PERIOD_MS,
  reader,
  startEngine,
  SYMBOL,
  wipe,
} from "#support/engine.ts";
import { committedActors, violations } from "#support/invariants.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

describe.each(storeKinds)("the engine on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(async () => {
    const query = (statement: string, params?: readonly unknown[]) =>
      store.database.sql.rows(statement, params).then((rows) => rows.map((row) => ({ ...row })));
    const found = await violations(query);
    await wipe(store);
    expect(found).toEqual([]);
  });

  afterAll(() => store[Symbol.asyncDispose]());

  const open = (options?: EngineOptions, after?: EngineFixture) =>
    startEngine(store, options, after);

  describe("at its end", () => {
    test("marks a strategy cancelled that no message has told it of", async () => {
      await using troupe = await open();
      const [id = ""] = await troupe.create(await troupe.define(), "new");
      await troupe.stop();
      expect(await troupe.strategy(id)).toMatchObject({
        state: "cancelled",
        stop_reason: "cancelled",
        desired_status: "running",
      });
    });
  });

  describe("at a tick", () => {
    test("every member of a definition gets its cycle, whatever shard it is in", async () => {
      await using troupe = await open({ shardSize: 2 });
      const ids = await troupe.create(await troupe.define(), "a", "b", "c", "d", "e");
      await troupe.tick();
      expect(await troupe.counts(...ids)).toEqual([1, 1, 1, 1, 1]);
      const [tick] = await troupe.ticks();
      expect(tick).toMatchObject({ status: "completed", shards_total: 3, cycles: 5, failures: 0 });
    });

    test("each agent runs exactly once, however many strategies there are", async () => {
      const runs: string[] = [];
      const counted = (name: string) =>
        reader(name, async () => {
          runs.push(name);
          return {
            signal: "NEUTRAL",
            confidence: 1,
            score: 0,
            reasoning: "",
            data: {},
            provenance: [],
          };
        });
      await using troupe = await open({ agents: [counted("ta"), counted("macro")], shardSize: 3 });
      const definition = await troupe.define({
        agents: [
          { name: "ta", required: true, weight: 0.5 },
          { name: "macro", required: false, weight: 0.5 },
        ],
      });
      await troupe.create(definition, ...Array.from({ length: 12 }, (_, n) => `s${n}`));
      await troupe.tick();
      expect(runs.toSorted()).toEqual(["macro", "ta"]);
      await troupe.tick();
      expect(runs).toHaveLength(4);
    });

    test("all strategies decide on the same frozen analysis and market", async () => {
      const seen: DecisionInput<Params>[] = [];
      const look = (input: DecisionInput<Params>) => {
        seen.push(input);
        return hold();
      };
      await using troupe = await open({ decisions: { look }, shardSize: 2 });
      await troupe.create(await troupe.define({ decisionAgent: "look" }), "a", "b", "c");
      await troupe.tick();
      expect(seen).toHaveLength(3);
      expect(new Set(seen.map(({ analysis }) => analysis)).size).toBe(1);
      expect(new Set(seen.map(({ market }) => market)).size).toBe(1);
      expect(Object.isFrozen(seen[0]?.analysis["ta"])).toBe(true);
    });

    test("a strategy created meanwhile takes part from the next tick on, without a restart", async () => {
      await using troupe = await open();
      const definition = await troupe.define();
      const [early = ""] = await troupe.create(definition, "early");
      await troupe.tick();
      const [late = ""] = await troupe.create(definition, "late");
      await troupe.tick();
      expect(await troupe.counts(early, late)).toEqual([2, 1]);
      expect((await troupe.cycles(late))[0]).toMatchObject({ cycle_index: 1, status: "completed" });
    });

    test("an edit of params counts from the next tick on", async () => {
      const seen: string[] = [];
      const look = ({ params }: DecisionInput<Params>) => {
        seen.push(params.role);
        return hold();
      };
      await using troupe = await open({ decisions: { look } });
      const definition = await troupe.define({ decisionAgent: "look" });
      const [id = ""] = await troupe.create(definition, "before");
      await troupe.tick();
      const edit = { actor: "test", params: { role: "after" } };
      const current = { definition, params: {}, paramsVersion: 1 };
      await troupe.services.strategies.update(id, edit, current);
      const late = troupe.services.strategies.update(id, edit, current);
      await expect(late).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
      await troupe.tick();
      expect(seen).toEqual(["before", "after"]);
      expect((await troupe.cycles(id)).map((cycle) => cycle["params_version"])).toEqual([1, 2]);
    });

    test("two definitions tick at the same boundary without knowing of each other", async () => {
      await using troupe = await open();
      const [one = ""] = await troupe.create(await troupe.define({ name: "one" }), "a");
      const [two = ""] = await troupe.create(await troupe.define({ name: "two" }), "b");
      await troupe.tick();
      await troupe.tick();
      expect(await troupe.counts(one, two)).toEqual([2, 2]);
      expect((await troupe.ticks()).map((tick) => tick["status"])).toEqual(
        Array(4).fill("completed"),
      );
    });
  });

  describe("a stop", () => {
    test("without closing leaves the position as it is", async () => {
      await using troupe = await open();
      const [id = "", sibling = ""] = await troupe.create(await troupe.define(), "a", "b");
      await troupe.tick();
      await troupe.stopStrategy(id, false);
      await troupe.tick();
      expect(await troupe.strategy(id)).toMatchObject({
        state: "stopped",
        status: "stopped",
        desired_status: "stopped",
        stop_reason: "normal_exit",
        stop_reason_detail: "asked by the test",
        cycle_index: 1,
      });
      const actor = (await committedActors((...query) => troupe.rows(...query))).find(
        (one) => one.id === id,
      );
      expect(actor).toMatchObject({ context: { ledger: { positions: { [SYMBOL]: {} } } } });
      expect(await troupe.counts(id, sibling)).toEqual([1, 2]);
    });

    test("with closing sells at the channel and records the cycle that did", async () => {
      await using troupe = await open();
      const [id = ""] = await troupe.create(await troupe.define(), "a");
      await troupe.tick();
      await troupe.stopStrategy(id, true);
      const [, closing] = await troupe.cycles(id);
      expect(closing).toMatchObject({ cycle_index: 2, cause: "stop", tick_id: null });
      expect(await troupe.rows("select action, status from strategy_instructions")).toEqual([
        { action: "open_long", status: "filled" },
        { action: "close_long", status: "filled" },
      ]);
      expect(await troupe.strategy(id)).toMatchObject({
        stop_reason: "normal_exit",
        cycle_index: 2,
        unrealized_pnl: "0.000000000000000000",
      });
      expect(await troupe.rows("select * from strategy_holdings where cycle_index = 2")).toEqual(
        [],
      );
    });

    test("with closing goes on at later ticks while there is no price to close at", async () => {
      await using troupe = await open();
      const [id = ""] = await troupe.create(await troupe.define(), "a");
      await troupe.tick();
      troupe.feed.remove(SYMBOL);
      await troupe.askStop(id, true);
      await vi.waitFor(async () => expect(await troupe.counts(id)).toEqual([2]), 10_000);
      const [, closing] = await troupe.cycles(id);
      expect(closing?.["rationale"]).toContain("no price for BTC/USDT");
      expect(await troupe.strategy(id)).toMatchObject({
        state: "running",
        desired_status: "stopped",
        stop_reason: null,
      });
      troupe.feed.set(SYMBOL, "90");
      troupe.clock.step();
      await troupe.until(id, "stopped");
      expect(await troupe.strategy(id)).toMatchObject({ stop_reason: "normal_exit" });
    });

    test("with closing sells what each bar gives, across a shutdown, and only then is a stop", async () => {
      const first = await open();
      const [id = ""] = await first.create(await first.define(), "a");
      await first.tick();
      first.feed.volume = "2";
      await first.askStop(id, true);
      await vi.waitFor(async () => expect(await first.counts(id)).toEqual([2]), 10_000);
      await first.stop();
      expect(await first.strategy(id)).toMatchObject({ state: "cancelled" });
      await using second = await open({}, first);
      expect(await second.strategy(id)).toMatchObject({ desired_status: "stopped" });
      for (let count = 3; count <= 5; count += 1) {
        second.clock.step();
        await vi.waitFor(async () => expect(await second.counts(id)).toEqual([count]), 10_000);
      }
      second.feed.volume = "100000";
      second.clock.step();
      await second.until(id, "stopped");
      const sales = await second.rows(
        `select filled_quantity::float8 as filled, status from strategy_instructions
         where strategy_id = $1 and side = 'SELL' order by cycle_index`,
        [id],
      );
      // The bar of the purchase has nothing left to give when the stop comes.
      expect(sales.map(({ filled }) => filled)).toEqual([0, 0.2, 0.2, 0.2, 0.4]);
      expect(sales.map(({ status }) => status)).toEqual([
        "rejected",
        "partial",
        "partial",
        "partial",
        "filled",
      ]);
      expect((await second.cycles(id)).map(({ status }) => status)).toEqual([
        "completed",
        "completed",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
      ]);
      expect(await second.strategy(id)).toMatchObject({
        desired_status: "stopped",
        stop_reason: "normal_exit",
        stop_command_id: null,
      });
    });

    test("with closing can be given up by one that keeps the positions", async () => {
      await using troupe = await open();
      const [id = ""] = await troupe.create(await troupe.define(), "a");
      await troupe.tick();
      troupe.feed.volume = "0";
      await troupe.askStop(id, true);
      await vi.waitFor(async () => expect(await troupe.counts(id)).toEqual([2]), 10_000);
      await troupe.stopStrategy(id, false);
      expect(await troupe.counts(id)).toEqual([2]);
      troupe.feed.volume = "100000";
      await troupe.resumeStrategy(id);
      await troupe.tick();
      const [held] = await troupe.rows(
        "select quantity::float8 as quantity from strategy_holdings where strategy_id = $1 and cycle_index = 3",
        [id],
      );
      expect(held).toEqual({ quantity: 1 });
    });

    test("asked for twice is carried out once", async () => {
      await using troupe = await open();
      const [id = ""] = await troupe.create(await troupe.define(), "a");
      await troupe.tick();
      await Promise.all([troupe.askStop(id, true), troupe.askStop(id, true)]);
      await troupe.until(id, "stopped");
      await vi.waitFor(async () => expect(await openJobs(troupe)).toEqual([]), { timeout: 5_000 });
      expect(await troupe.counts(id)).toEqual([2]);
    });

    test("is followed by nothing until the strategy is resumed, which goes on where it stood", async () => {
      await using troupe = await open();
      const [id = "", sibling = ""] = await troupe.create(await troupe.define(), "a", "b");
      await troupe.tick();
      await troupe.stopStrategy(id, false);
      await troupe.tick();
      await troupe.resumeStrategy(id);
      await troupe.tick();
      expect(await troupe.counts(id, sibling)).toEqual([2, 3]);
      expect(await troupe.strategy(id)).toMatchObject({
        state: "running",
        stop_reason: null,
        cycle_index: 2,
      });
      const details = await troupe.rows("select * from strategy_details where strategy_id = $1", [
        id,
      ]);
      expect(details).toHaveLength(1);
    });
  });

  describe("a boot", () => {
    test("restores every running and cancelled strategy and resumes what a shutdown left", async () => {
      const first = await open({ shardSize: 2 });
      const ids = await first.create(await first.define(), "a", "b", "c");
      await first.tick();
      await first.stopStrategy(ids[2] ?? "", false);
      const equity = (await first.strategy(ids[0] ?? ""))["total_value"];
      await first.stop();
      expect(await first.strategy(ids[0] ?? "")).toMatchObject({
        state: "cancelled",
        stop_reason: "cancelled",
        desired_status: "running",
        total_value: equity,
        cycle_index: 1,
      });

      await using second = await open({}, first);
      expect(await second.strategy(ids[0] ?? "")).toMatchObject({
        state: "running",
        total_value: equity,
      });
      expect((await second.strategy(ids[2] ?? ""))["state"]).toBe("stopped");
      await second.tick();
      expect(await second.counts(...ids)).toEqual([2, 2, 1]);
    });

    test("reports what it restored", async () => {
      const first = await open({ shardSize: 2 });
      await first.create(await first.define(), "a", "b", "c");
      await first.tick();
      await first.stop();
      await using second = await open({}, first);
      expect(second.recovered).toMatchObject({ shards: 2, restored: 3, resumed: 3, openTicks: 0 });
    });

    test("after hours away makes up for one tick, not for all that were missed", async () => {
      const first = await open();
      const [id = ""] = await first.create(await first.define(), "a");
      await first.tick();
      await first.stop();
      first.clock.moveTo(FIRST_TICK + 36 * PERIOD_MS + PERIOD_MS / 2);
      await using second = await open({}, first);
      await second.closed(FIRST_TICK + 36 * PERIOD_MS);
      expect((await second.cycles(id)).map((cycle) => Number(cycle["compose_time"]))).toHaveLength(
        2,
      );
      expect(await second.ticks()).toHaveLength(2);
    });
  });

  async function openJobs(troupe: EngineFixture) {
    return troupe.rows("select * from pgboss.job where state in ('created', 'active', 'retry')");
  }
});
