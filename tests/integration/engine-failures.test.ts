import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Decision } from "#domain/decision.ts";
import { FencedError } from "#domain/errors.ts";
import { sealAt, unseal } from "#engine/strategy/envelope.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import { SourceUnavailable } from "#ports/business-agent.ts";
import {
  buy,
  type Decide,
  type EngineFixture,
  type EngineOptions,
  FIRST_TICK,
  hold,
  type NewDefinition,
  PERIOD_MS,
  reader,
  startEngine,
  SYMBOL,
  wipe,
} from "#support/engine.ts";
import { violations } from "#support/invariants.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

describe.each(storeKinds)("when something fails on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(async () => {
    const found = await violations((statement, params) => rows(statement, params));
    await wipe(store);
    expect(found).toEqual([]);
  });

  afterAll(() => store[Symbol.asyncDispose]());

  const open = (options?: EngineOptions, after?: EngineFixture) =>
    startEngine(store, options, after);

  describe("I6: one strategy of three", () => {
    test.each<[string, (input: Parameters<Decide>[0]) => unknown, RegExp]>([
      ["throws", () => failing("no idea"), /no decision: no idea/],
      ["throws what is no error", () => failing("just text", false), /just text/],
      ["asks for a quantity that is no number", () => buy("NaN"), /quantity/i],
      ["asks for endless money", () => buy("Infinity"), /quantity/i],
      ["names a symbol nobody trades", () => unknownSymbol(), /MOON/],
      ["answers nothing at all", () => undefined, /no decision/],
      ["leaves a state that is not an object", () => hold({ state: JSON.parse("5") }), /state/],
      ["leaves a state that cannot be written", () => hold({ state: circular() }), /no decision/],
      [
        "says what no database can store",
        () => hold({ rationale: "nothing\0to say" }),
        /not recorded/,
      ],
      ["orders with a note no database can store", () => unstorableNote(), /not recorded/],
    ])("that %s fails alone, with its reason, and decides again", async (_what, answer, reason) => {
      let isIll = true;
      const decide: Decide = (input) => {
        if (input.params.role !== "ill" || !isIll) return buy("1");
        return answer(input) as Decision;
      };
      await using troupe = await open({ decisions: { decide } });
      const [first = "", ill = "", last = ""] = await members(troupe, "a", "ill", "c");
      await troupe.tick();
      expect(await troupe.counts(first, ill, last)).toEqual([1, 1, 1]);
      const [cycle] = await troupe.cycles(ill);
      expect(`${String(cycle?.["rationale"])} ${JSON.stringify(cycle?.["error"])}`).toMatch(reason);
      isIll = false;
      await troupe.tick();
      expect(await troupe.counts(first, ill, last)).toEqual([2, 2, 2]);
      expect((await troupe.cycles(ill))[1]).toMatchObject({ status: "completed" });
      expect((await troupe.strategy(first))["total_trades"]).toBeGreaterThan(0);
    });

    test("fails alone as well when its answer comes later", async () => {
      const decide: Decide = async ({ params }) => {
        await Promise.resolve();
        if (params.role === "ill") return hold({ state: circular() });
        return buy("1");
      };
      await using troupe = await open({ decisions: { decide } });
      const ids = await members(troupe, "a", "ill", "c");
      await troupe.tick();
      await troupe.tick();
      expect(await troupe.counts(...ids)).toEqual([2, 2, 2]);
      expect((await troupe.cycles(ids[1] ?? ""))[0]).toMatchObject({ status: "failed" });
    });

    test("with params that are no longer valid gets failed cycles while its siblings trade", async () => {
      await using troupe = await open();
      const [ill = "", well = ""] = await members(troupe, "ill", "well");
      await troupe.tick();
      await rows(
        `with broken as (
           update strategies set instance_params = '{"role": 7}', params_version = 2 where id = $1
         ) update shards set roster_version = roster_version + 1`,
        [ill],
      );
      await troupe.tick();
      const [, cycle] = await troupe.cycles(ill);
      expect(cycle).toMatchObject({ status: "failed", error: { code: "INVALID_PARAMS" } });
      expect(cycle?.["rationale"]).toContain("role");
      expect((await troupe.cycles(well))[1]).toMatchObject({ status: "completed" });
    });

    test("whose stored state is damaged stops with an alert while its siblings go on", async () => {
      const first = await open();
      const ids = await members(first, "a", "ill", "c");
      const ill = ids[1] ?? "";
      await first.tick();
      await first.stop();
      await rows("update actor_snapshots set snapshot = snapshot || ' ' where strategy_id = $1", [
        ill,
      ]);
      await using second = await open({}, first);
      await second.tick();
      expect(await second.counts(...ids)).toEqual([2, 1, 2]);
      expect(await second.strategy(ill)).toMatchObject({
        state: "stopped",
        desired_status: "stopped",
        stop_reason: "error",
      });
      expect(await second.alerts()).toMatchObject([
        { kind: "snapshot_unusable", subject: ill, occurrences: 1 },
      ]);
    });

    test("whose money cannot be valued stops with an alert while its siblings go on", async () => {
      const first = await open();
      const ids = await members(first, "a", "ill", "c");
      const ill = ids[1] ?? "";
      await first.tick();
      await first.stop();
      const repair = await changeContext(ill, emptied);
      await using second = await open({}, first);
      await second.tick();
      const state = await second.strategy(ill);
      expect(state).toMatchObject({ state: "stopped", stop_reason: "error" });
      expect(await second.alerts()).toMatchObject([{ kind: "strategy_stopped", subject: ill }]);
      expect(await second.counts(...ids)).toEqual([2, 1, 2]);
      await repair();
    });

    test("that was stopped for its damaged state runs again once that is repaired", async () => {
      const first = await open();
      const [ill = ""] = await members(first, "ill");
      await first.tick();
      await first.stop();
      await rows("update actor_snapshots set snapshot = snapshot || ' ' where strategy_id = $1", [
        ill,
      ]);
      const second = await open({}, first);
      await second.until(ill, "stopped");
      await second.services.strategies.resume(ill, { actor: "test" });
      await vi.waitFor(async () => {
        expect((await second.strategy(ill))["desired_status"]).toBe("stopped");
      });
      await rows("update actor_snapshots set snapshot = rtrim(snapshot) where strategy_id = $1", [
        ill,
      ]);
      await second.resumeStrategy(ill);
      await second.tick();
      expect(await second.counts(ill)).toEqual([2]);
      await second.stop();
    });
  });

  describe("an actor that fails itself", () => {
    test("is restored from its last commit five times, then stopped with an alert", async () => {
      let isBroken = false;
      const failpoint = (name: string) => {
        if (isBroken && name === "decision.before") throw new Error("a bug of ours");
      };
      await using troupe = await open({ failpoint });
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      isBroken = true;
      for (let restarts = 0; restarts < 5; restarts += 1) await troupe.tick();
      const cycles = await troupe.cycles(id);
      expect(cycles.map((cycle) => cycle["status"])).toEqual([
        "completed",
        ...Array(5).fill("failed"),
      ]);
      expect((await troupe.strategy(id))["state"]).toBe("running");
      await troupe.tick();
      await troupe.until(id, "stopped");
      expect(await troupe.strategy(id)).toMatchObject({
        desired_status: "stopped",
        stop_reason: "error",
        stop_request_cause: null,
      });
      expect((await troupe.strategy(id))["stop_reason_detail"]).toContain("failed too often");
      expect(await troupe.alerts()).toMatchObject([{ kind: "strategy_stopped", subject: id }]);
      isBroken = false;
      await troupe.resumeStrategy(id);
      await troupe.tick();
      expect((await troupe.cycles(id)).at(-1)).toMatchObject({ status: "completed" });
    });
  });

  describe("a shard that fails", () => {
    test("is tried again, and beyond its budget handed back with an alert, until it succeeds", async () => {
      let isBroken = true;
      const failpoint = (name: string) => {
        if (isBroken && name === "fanout.shard-taken") throw new Error("a bug of ours");
      };
      await using troupe = await open({ failpoint });
      const [id = ""] = await members(troupe, "a");
      const at = troupe.clock.step();
      await vi.waitFor(
        async () => {
          await rows("update pgboss.job set start_after = now() where state = 'retry'");
          troupe.engine.nudge();
          expect(await troupe.alerts()).toMatchObject([
            { kind: "shard_failing", detail: { error: "a bug of ours" } },
          ]);
        },
        { timeout: 20_000, interval: 50 },
      );
      expect(await retriesOf("shards")).toBeGreaterThanOrEqual(5);
      // Nothing of it is left in memory: whoever takes its message restores from the last commit.
      expect(troupe.engine.directory.strategy(id)).toBeUndefined();
      isBroken = false;
      await rows("update pgboss.job set start_after = now() where state = 'retry'");
      await troupe.closed(at);
      expect(await troupe.cycles(id)).toMatchObject([{ status: "completed" }]);
    });

    test("because another node owns it is no failure of its own", async () => {
      const fenced = new FencedError("another node owns it");
      let left = 6;
      const failpoint = (name: string) => {
        if (name !== "fanout.shard-taken" || left === 0) return;
        left -= 1;
        throw fenced;
      };
      await using troupe = await open({ failpoint });
      await members(troupe, "a");
      const at = troupe.clock.step();
      await vi.waitFor(
        async () => {
          await rows("update pgboss.job set start_after = now() where state = 'retry'");
          troupe.engine.nudge();
          expect(left).toBe(0);
        },
        { timeout: 20_000, interval: 50 },
      );
      await rows("update pgboss.job set start_after = now() where state = 'retry'");
      await troupe.closed(at);
      expect(await troupe.alerts()).toEqual([]);
    });
  });

  describe("an agent", () => {
    test.each<[string, Parameters<typeof reader>[1], object]>([
      [
        "throws",
        async () => failing("source is down"),
        { status: "failed", reason: "source is down" },
      ],
      [
        "has no source",
        async () => {
          throw new SourceUnavailable("no such data");
        },
        { status: "unavailable", reason: "no such data" },
      ],
      [
        "does not answer in time",
        () => new Promise(() => undefined),
        { status: "timeout", reason: "no answer within 50 ms" },
      ],
    ])("that %s is recorded so, and the decision is told", async (_what, run, outcome) => {
      const told: unknown[] = [];
      const decide: Decide = ({ analysis }) => {
        told.push(analysis["ta"]);
        return hold();
      };
      await using troupe = await open({
        agents: [reader("ta", run)],
        decisions: { decide },
        settings: { agentTimeoutMs: 50 },
      });
      await members(troupe, "a");
      await troupe.tick();
      expect(told).toMatchObject([outcome]);
      expect(await rows("select status, reason from agent_runs")).toEqual([outcome]);
    });
  });

  describe("a definition that names something unknown", () => {
    test.each<[string, NewDefinition, string]>([
      ["agent", { agents: [{ name: "oracle", required: true, weight: 1 }] }, "UNKNOWN_AGENT"],
      ["decision agent", { decisionAgent: "coin_flip" }, "UNKNOWN_DECISION_AGENT"],
      ["channel", { tradeChannel: "under_the_table" }, "UNKNOWN_CHANNEL"],
    ])(
      "(%s) fails its tick with the reason and does not block the next",
      async (_what, wrong, code) => {
        await using troupe = await open();
        const [id = ""] = await members(troupe, "a");
        await troupe.tick();
        await troupe.define(wrong);
        await troupe.tick();
        await troupe.define();
        await troupe.tick();
        const ticks = await troupe.ticks();
        expect(ticks.map(({ status }) => status)).toEqual(["completed", "failed", "completed"]);
        expect(ticks[1]).toMatchObject({ error: { code } });
        await vi.waitFor(async () =>
          expect(await troupe.alerts()).toMatchObject([{ kind: "tick_failed", detail: { code } }]),
        );
        expect(await troupe.counts(id)).toEqual([2]);
      },
    );
  });

  describe("a slow decision", () => {
    test("that outlives its timeout is a failed cycle, and its late answer changes nothing", async () => {
      const answer = Promise.withResolvers<Decision>();
      let isSlow = true;
      const decide: Decide = () => (isSlow ? answer.promise : hold());
      await using troupe = await open({
        decisions: { decide },
        settings: { decisionTimeoutMs: 50 },
      });
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      expect(await troupe.cycles(id)).toMatchObject([
        { status: "failed", error: { code: "PORT_TIMEOUT", message: "no decision within 50 ms" } },
      ]);
      answer.resolve(buy("1"));
      isSlow = false;
      await troupe.tick();
      expect(await rows("select * from strategy_instructions")).toEqual([]);
      expect(await troupe.counts(id)).toEqual([2]);
    });

    test("keeps neither its siblings' cycles nor other shards waiting", async () => {
      const answer = Promise.withResolvers<Decision>();
      const decide: Decide = ({ params }) => (params.role === "slow" ? answer.promise : buy("1"));
      await using troupe = await open({
        decisions: { decide },
        settings: { shardSlots: 1 },
        shardSize: 2,
      });
      const [slow = "", ...quick] = await members(troupe, "slow", "a", "b", "c");
      const at = troupe.clock.step();
      await vi.waitFor(async () => expect(await troupe.counts(...quick)).toEqual([1, 1, 1]), {
        timeout: 5_000,
      });
      expect(await tickStatus(troupe)).toBe("running");
      expect(await troupe.counts(slow)).toEqual([0]);
      answer.resolve(buy("1"));
      await troupe.closed(at);
      expect(await troupe.ticks()).toMatchObject([{ status: "completed", cycles: 4, failures: 0 }]);
      expect(await troupe.counts(slow, ...quick)).toEqual([1, 1, 1, 1]);
    });

    test("under way at a shutdown leaves its siblings' cycles as they were committed", async () => {
      let calls = 0;
      const decide: Decide = ({ params }) => {
        if (params.role === "quick") return buy("1");
        calls += 1;
        return calls === 1 ? new Promise<Decision>(() => undefined) : buy("1");
      };
      const decisions = { decide };
      const first = await open({ decisions, settings: { drainMs: 50 } });
      const [slow = "", quick = ""] = await members(first, "slow", "quick");
      const at = first.clock.step();
      await vi.waitFor(async () => expect(await first.counts(slow, quick)).toEqual([0, 1]));
      const before = await first.cycles(quick);
      await first.stop();
      await using second = await open({ decisions }, first);
      await second.closed(at);
      expect(await second.cycles(quick)).toEqual(before);
      expect(await second.counts(slow)).toEqual([1]);
      expect(await second.ticks()).toMatchObject([{ status: "completed", cycles: 2 }]);
    });

    test("is abandoned by a stop: no order leaves afterwards, siblings keep their cycle", async () => {
      const answer = Promise.withResolvers<Decision>();
      const decide: Decide = ({ params }) => (params.role === "slow" ? answer.promise : buy("1"));
      await using troupe = await open({ decisions: { decide } });
      const [slow = "", quick = ""] = await members(troupe, "slow", "quick");
      const at = troupe.clock.step();
      await vi.waitFor(async () => expect(await tickStatus(troupe)).toBe("running"));
      await troupe.askStop(slow, true);
      await troupe.until(slow, "stopped");
      answer.resolve(buy("1"));
      await troupe.closed(at);
      await troupe.tick();
      expect(await troupe.counts(slow, quick)).toEqual([0, 2]);
      expect(
        await rows("select * from strategy_instructions where strategy_id = $1", [slow]),
      ).toEqual([]);
      expect(await troupe.strategy(slow)).toMatchObject({ stop_reason: "normal_exit" });
    });

    test("that takes long is shown as under way, without figures, until it is recorded", async () => {
      const answer = Promise.withResolvers<Decision>();
      await using troupe = await open({ decisions: { decide: () => answer.promise } });
      const [id = ""] = await members(troupe, "slow");
      const at = troupe.clock.step();
      const shown = () => troupe.engine.live.get(id);
      await vi.waitFor(() => expect(shown()?.inProgress).toBe("composing"), { timeout: 5_000 });
      expect(shown()).toMatchObject({ state: "running", cycleIndex: 0, totalValue: "10000" });
      answer.resolve(buy("1"));
      await troupe.closed(at);
      await vi.waitFor(() => expect(shown()).toMatchObject({ cycleIndex: 1, inProgress: null }));
    });

    test("is abandoned at once by a stop, which then closes what is held", async () => {
      let calls = 0;
      const decide: Decide = () => {
        calls += 1;
        return calls === 1 ? buy("1") : new Promise<Decision>(() => undefined);
      };
      await using troupe = await open({ decisions: { decide } });
      const [id = ""] = await members(troupe, "slow");
      await troupe.tick();
      const at = troupe.clock.step();
      await vi.waitFor(() => expect(calls).toBe(2));
      await troupe.stopStrategy(id, true);
      await troupe.closed(at);
      expect(await troupe.cycles(id)).toMatchObject([
        { cause: "tick", status: "completed" },
        { cause: "stop", status: "completed", tick_id: null },
      ]);
      expect(await troupe.strategy(id)).toMatchObject({ stop_reason: "normal_exit" });
    });

    test("under way at a shutdown is left to the next boot, which decides again", async () => {
      let calls = 0;
      const decide: Decide = () => {
        calls += 1;
        return calls === 1 ? new Promise<Decision>(() => undefined) : buy("1");
      };
      const decisions = { decide };
      const first = await open({ decisions, settings: { drainMs: 50 } });
      const [id = ""] = await members(first, "a");
      const at = first.clock.step();
      await vi.waitFor(() => expect(calls).toBe(1));
      await first.stop();
      expect(await first.counts(id)).toEqual([0]);
      await using second = await open({ decisions }, first);
      await second.closed(at);
      expect(calls).toBe(2);
      expect(await second.cycles(id)).toMatchObject([{ status: "completed", cycle_index: 1 }]);
    });
  });

  test("a stop asked for just before a shutdown is carried out at the next boot, not forgotten", async () => {
    let calls = 0;
    const decide: Decide = () => {
      calls += 1;
      return new Promise<Decision>(() => undefined);
    };
    const first = await open({ decisions: { decide }, settings: { drainMs: 0 } });
    const [id = ""] = await members(first, "a");
    first.clock.step();
    await vi.waitFor(() => expect(calls).toBe(1));
    await first.askStop(id, false);
    await first.stop();
    expect(await first.strategy(id)).toMatchObject({
      state: "cancelled",
      desired_status: "stopped",
    });
    await using second = await open({ decisions: { decide } }, first);
    expect(second.recovered).toMatchObject({ restored: 1, resumed: 0 });
    await second.until(id, "stopped");
    expect(await second.strategy(id)).toMatchObject({
      desired_status: "stopped",
      stop_reason: "normal_exit",
      cycle_index: 0,
    });
    expect(calls).toBe(1);
  });

  describe("a closing stop whose prices cannot be read", () => {
    const hung = () => new Promise<never>(() => undefined);
    test.each<[string, () => Promise<never>, string]>([
      ["because the feed fails", async () => failing("unplugged"), "unplugged"],
      ["because the feed never answers", hung, "no prices within 100 ms"],
    ])("%s ends, says what stays open, and holds nobody up", async (_why, quote, reason) => {
      await using troupe = await open({ settings: { marketTimeoutMs: 100 } });
      const [ill = "", well = ""] = await members(troupe, "a", "b");
      await troupe.tick();
      const plug = vi.spyOn(troupe.feed, "quote").mockImplementation(quote);
      await troupe.stopStrategy(ill, true);
      expect(await troupe.strategy(ill)).toMatchObject({
        desired_status: "stopped",
        stop_reason: "error_closing_positions",
        stop_reason_detail: expect.stringMatching(/still open: 1 BTC\/USDT, gross exposure \d/),
      });
      const [, closing] = await troupe.cycles(ill);
      expect(closing).toMatchObject({ cause: "stop", status: "failed" });
      expect(closing?.["rationale"]).toContain(`prices cannot be read: ${reason}`);
      expect(await troupe.alerts()).toMatchObject([
        { kind: "positions_left_open", subject: ill, occurrences: 1 },
      ]);
      plug.mockRestore();
      await troupe.tick();
      expect(await troupe.counts(ill, well)).toEqual([2, 2]);
      await troupe.resumeStrategy(ill);
      await troupe.stopStrategy(ill, true);
      expect(await troupe.strategy(ill)).toMatchObject({ stop_reason: "normal_exit" });
    });

    test("for a moment only closes all the same", async () => {
      await using troupe = await open();
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      vi.spyOn(troupe.feed, "quote").mockRejectedValueOnce(new Error("a hiccup"));
      await troupe.stopStrategy(id, true);
      expect(await troupe.strategy(id)).toMatchObject({ stop_reason: "normal_exit" });
      expect(await troupe.alerts()).toEqual([]);
    });

    test("of a strategy whose money cannot be valued ends as well", async () => {
      const first = await open();
      const [ill = "", well = ""] = await members(first, "a", "b");
      await first.tick();
      await first.stop();
      const repair = await changeContext(ill, emptied);
      await using second = await open({}, first);
      await second.stopStrategy(ill, true);
      expect(await second.strategy(ill)).toMatchObject({
        stop_reason: "error_closing_positions",
        stop_reason_detail: expect.stringMatching(/cannot close: .*; still open: 0 BTC\/USDT/),
      });
      await second.tick();
      expect(await second.counts(ill, well)).toEqual([1, 2]);
      await repair();
    });
  });

  describe("a shard", () => {
    test("whose version another node moved is fenced and done again without loss", async () => {
      const answers = [Promise.withResolvers<Decision>()];
      let calls = 0;
      const decide: Decide = () => {
        calls += 1;
        return answers[calls - 1]?.promise ?? buy("1");
      };
      await using troupe = await open({ decisions: { decide } });
      const [id = ""] = await members(troupe, "a");
      const at = troupe.clock.step();
      await vi.waitFor(() => expect(calls).toBe(1));
      await rows("update shards set version = version + 1");
      answers[0]?.resolve(buy("2"));
      await troupe.closed(at);
      expect(calls).toBe(2);
      expect(await troupe.cycles(id)).toMatchObject([{ status: "completed" }]);
      expect(await rows("select quantity from strategy_instructions")).toMatchObject([
        { quantity: "1.000000000000000000" },
      ]);
    });

    test("that misses the deadline writes nothing for the tick, and takes part in the next", async () => {
      const answer = Promise.withResolvers<Decision>();
      let calls = 0;
      const decide: Decide = ({ params }) => {
        if (params.role === "quick") return buy("1");
        calls += 1;
        return calls === 1 ? answer.promise : buy("1");
      };
      await using troupe = await open({
        decisions: { decide },
        settings: { tickDeadlineMs: 500, shardSlots: 2 },
        shardSize: 1,
      });
      const [quick = "", slow = ""] = await members(troupe, "quick", "slow");
      await troupe.tick();
      const [tick] = await troupe.ticks();
      expect(tick).toMatchObject({
        status: "timed_out",
        shards_total: 2,
        shards_settled: 1,
        cycles: 1,
      });
      await vi.waitFor(async () =>
        expect(await troupe.alerts()).toMatchObject([{ kind: "tick_timed_out", occurrences: 1 }]),
      );
      answer.resolve(buy("2"));
      await troupe.tick();
      expect(await troupe.counts(quick, slow)).toEqual([2, 1]);
      expect((await troupe.cycles(slow))[0]).toMatchObject({
        tick_id: (await troupe.ticks())[1]?.["id"],
      });
      expect((await troupe.ticks()).map(({ status }) => status)).toEqual([
        "timed_out",
        "completed",
      ]);
    });
  });

  describe("a tick", () => {
    test("that comes while one is under way is recorded as skipped, and the next one runs", async () => {
      const reading = Promise.withResolvers<void>();
      const slow = reader("ta", async () => {
        await reading.promise;
        return {
          signal: "NEUTRAL",
          confidence: 1,
          score: 0,
          reasoning: "",
          data: {},
          provenance: [],
        };
      });
      await using troupe = await open({ agents: [slow], lockstep: false });
      const [id = ""] = await members(troupe, "a");
      const first = troupe.clock.step();
      troupe.engine.nudge();
      await vi.waitFor(async () => expect(await tickStatus(troupe)).toBe("pending"), {
        timeout: 3_000,
      });
      const second = troupe.clock.step();
      troupe.engine.nudge();
      await troupe.closed(second);
      reading.resolve();
      await troupe.closed(first);
      const third = troupe.clock.step();
      troupe.engine.nudge();
      await troupe.closed(third);
      expect((await troupe.ticks()).map(({ status }) => status)).toEqual([
        "completed",
        "skipped",
        "completed",
      ]);
      expect(await troupe.counts(id)).toEqual([2]);
    });

    test("whose market cannot be read is tried again until it can", async () => {
      await using troupe = await open();
      const quote = vi.spyOn(troupe.feed, "quote").mockRejectedValueOnce(new Error("unplugged"));
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      expect(quote).toHaveBeenCalledTimes(2);
      expect(await troupe.cycles(id)).toMatchObject([{ status: "completed" }]);
    });

    test("whose market never answers is tried again until it does", async () => {
      await using troupe = await open({ settings: { marketTimeoutMs: 100 } });
      vi.spyOn(troupe.feed, "quote").mockImplementationOnce(() => new Promise(() => undefined));
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      expect(await troupe.cycles(id)).toMatchObject([{ status: "completed" }]);
    });

    test("that can never be analysed fails at its deadline and does not block the next", async () => {
      let isUnplugged = true;
      await using troupe = await open({ settings: { tickDeadlineMs: 500 } });
      vi.spyOn(troupe.feed, "funding").mockImplementation(async () => {
        if (isUnplugged) throw new Error("unplugged");
        return [];
      });
      const [id = ""] = await members(troupe, "a");
      await troupe.tick();
      expect(await troupe.ticks()).toMatchObject([
        { status: "failed", error: { code: "PORT_TIMEOUT" } },
      ]);
      await vi.waitFor(async () =>
        expect(await troupe.alerts()).toMatchObject([{ kind: "tick_failed" }]),
      );
      isUnplugged = false;
      // The message of the first tick goes before those of later ones, once its retry is due.
      await vi.waitFor(
        async () => {
          await troupe.tick();
          expect(await troupe.counts(id)).toEqual([1]);
        },
        { timeout: 20_000 },
      );
    });

    test("that a long absence left open is finished when time is simulated, for it stood still", async () => {
      const first = await hangingTick({ lockstep: true });
      await rows("update ticks set deadline = now() - interval '1 day'");
      await using second = await open({ decisions: { decide: () => buy("1") } }, first);
      await second.closed(FIRST_TICK);
      expect(await second.ticks()).toMatchObject([{ status: "completed", cycles: 1 }]);
    });

    test("that a long absence left open is given up when time went on", async () => {
      const first = await hangingTick({ lockstep: false });
      await rows("update ticks set deadline = now() - interval '1 day'");
      first.clock.moveTo(FIRST_TICK + 9 * PERIOD_MS);
      await using second = await open({ decisions: { decide: () => buy("1") } }, first);
      await second.closed(FIRST_TICK + 9 * PERIOD_MS);
      expect((await second.ticks()).map(({ status }) => status)).toEqual([
        "timed_out",
        "completed",
      ]);
    });
  });

  test("a definition that changes its decision agent has the params read anew", async () => {
    const seen: unknown[] = [];
    const look: Decide = ({ params }) => {
      seen.push(params);
      return hold();
    };
    await using troupe = await open({ decisions: { look } });
    await troupe.create(await troupe.define(), "a");
    await troupe.tick();
    await troupe.define({ decisionAgent: "look" });
    await troupe.tick();
    expect(seen).toEqual([{ role: "a", readBy: "look" }]);
  });

  /** A tick whose fan-out is committed and whose only shard was never done. */
  async function hangingTick({ lockstep }: { lockstep: boolean }): Promise<EngineFixture> {
    let calls = 0;
    const never: Decide = () => {
      calls += 1;
      return new Promise<Decision>(() => undefined);
    };
    const troupe = await open({
      decisions: { decide: never },
      lockstep,
      settings: { drainMs: 20 },
    });
    await members(troupe, "a");
    troupe.clock.step();
    troupe.engine.nudge();
    await vi.waitFor(() => expect(calls).toBe(1), { timeout: 3_000 });
    await troupe.stop();
    return troupe;
  }

  /** Strategies of one definition that decides by `decide` where a test brings one. */
  async function members(troupe: EngineFixture, ...roles: string[]): Promise<string[]> {
    const decisionAgent = troupe.decides("decide") ? "decide" : "steady";
    return troupe.create(await troupe.define({ decisionAgent }), ...roles);
  }

  async function retriesOf(queue: string): Promise<number> {
    const [row] = await rows("select max(retry_count)::int as n from pgboss.job where name = $1", [
      queue,
    ]);
    return Number(row?.["n"]);
  }

  async function tickStatus(troupe: EngineFixture): Promise<unknown> {
    return (await troupe.ticks())[0]?.["status"];
  }

  /** A position of nothing: no price in the world makes sense of it. */
  function emptied(context: StrategyContext): StrategyContext {
    const position = context.ledger.positions[SYMBOL];
    if (position === undefined) throw new Error("it holds nothing");
    const positions = { [SYMBOL]: { ...position, quantity: "0" } };
    return { ...context, ledger: { ...context.ledger, positions } };
  }

  async function changeContext(
    strategyId: string,
    change: (context: StrategyContext) => StrategyContext,
  ): Promise<() => Promise<unknown>> {
    const [row] = await rows("select * from actor_snapshots where strategy_id = $1", [strategyId]);
    const opened = unseal({
      machine: String(row?.["machine"]),
      version: Number(row?.["version"]),
      value: String(row?.["value"]),
      hash: String(row?.["hash"]),
      snapshot: String(row?.["snapshot"]),
    });
    if (!opened.ok) throw new Error(opened.detail);
    const { hash, snapshot } = sealAt({ value: opened.value, context: change(opened.context) });
    const write = "update actor_snapshots set snapshot = $2, hash = $3 where strategy_id = $1";
    await rows(write, [strategyId, snapshot, hash]);
    return () => rows(write, [strategyId, row?.["snapshot"], row?.["hash"]]);
  }

  async function rows(statement: string, params: readonly unknown[] = []) {
    return (await store.database.sql.rows(statement, params)).map((row) => ({ ...row }));
  }
});

function failing(reason: string, asError = true): never {
  if (asError) throw new Error(reason);
  // oxlint-disable-next-line typescript/only-throw-error -- what a careless plugin does
  throw reason;
}

function unknownSymbol(): Decision {
  return hold({ items: [{ symbol: "MOON/USDT", action: "open_long", quantity: "1" }] });
}

function unstorableNote(): Decision {
  const items = [{ symbol: SYMBOL, action: "open_long", quantity: "1", rationale: "\0" } as const];
  return hold({ items });
}

function circular() {
  const state: Record<string, never> = {};
  return Object.assign(state, { self: state });
}
