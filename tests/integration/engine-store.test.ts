import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AgentOutput } from "#domain/analysis.ts";
import { FencedError } from "#domain/errors.ts";
import { tickIdOf } from "#domain/ids.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { Database } from "#persistence/database.ts";
import {
  setDefinitionPaused,
  upsertDefinition,
} from "#persistence/repositories/definitions.repository.ts";
import { requestStop } from "#persistence/repositories/strategy-controls.repository.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { AnalysisCommit, EngineStore } from "#ports/store.ts";
import { recordingClaim, type RecordingQueue, recordingQueue } from "#support/recording-queue.ts";
import {
  commitOf,
  cycleOf,
  definitionContent,
  populate,
  writeOf,
} from "#support/store-fixtures.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const MINUTE = 60_000;
const START = 1_700_000_400_000;
const market: MarketSnapshot = { at: START, quotes: {}, funding: [], facts: {} };
const outputs: AgentOutput[] = [
  {
    agent: "ta",
    status: "ok",
    durationMs: 1.5,
    signal: "BULLISH",
    confidence: 0.1 + 0.2,
    score: -12.25,
    reasoning: "above its mean",
    data: { rsi: 61.5 },
    provenance: [{ source: "replay", at: START, derived: false }],
  },
  { agent: "macro", status: "unavailable", reason: "no source", durationMs: 0.25 },
];

let definitions = 0;

describe.each(storeKinds)("the engine's store on %s", (kind) => {
  let store: TestStore;
  let database: Database;
  let queue: RecordingQueue;
  let engine: EngineStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
    ({ database } = store);
    queue = recordingQueue();
    engine = createEngineStore(database, queue);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const populated = (count: number, shardSize = 100) => {
    definitions += 1;
    return populate(database, { count, shardSize, name: `definition ${definitions}` });
  };

  async function analysisOf(definitionId: string, scheduledFor: number): Promise<AnalysisCommit> {
    const found = await engine.pendingTick(tickIdOf(definitionId, scheduledFor));
    if (found === null) throw new Error("no pending tick");
    return {
      claim: recordingClaim(),
      ...found,
      market,
      outputs,
      analysisMs: 12.4,
      deadlineMs: 60_000,
    };
  }

  async function startTick(definitionId: string, scheduledFor = START): Promise<string> {
    await engine.proposeTick(definitionId, scheduledFor);
    const commit = await analysisOf(definitionId, scheduledFor);
    await engine.commitAnalysis(commit);
    return commit.tick.id;
  }

  const headsOf = async (definitionId: string) =>
    (await engine.shardHeads()).filter((head) => head.definitionId === definitionId);

  async function settle(definitionId: string, tickId: string): Promise<void> {
    const journal = createJournal(database);
    for (const { id, version } of await headsOf(definitionId)) {
      const members = await engine.members(id);
      const writes = members.map(({ strategyId }) =>
        writeOf(strategyId, cycleOf(strategyId, 1, { tickId })),
      );
      await journal.commit({ ...commitOf(id, version, writes), tickId });
    }
  }

  describe("proposing a tick of a paused definition", () => {
    test("stores nothing, neither a tick nor a skipped one", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      await setDefinitionPaused(database, {
        definitionId: definition.id,
        paused: true,
        actor: "u",
      });
      expect(await engine.proposeTick(definition.id, START + 10 * MINUTE)).toBe("known");
      const stored = await database.sql.rows("select 1 from ticks where definition_id = $1", [
        definition.id,
      ]);
      expect(stored).toHaveLength(1);
      expect(
        (await engine.scheduledDefinitions()).find((one) => one.definition.id === definition.id),
      ).toMatchObject({ isPaused: true });
    });

    test("that is resumed goes on", async () => {
      const { definition } = await populated(1);
      const request = { definitionId: definition.id, actor: "u" };
      await setDefinitionPaused(database, { ...request, paused: true });
      expect(await engine.proposeTick(definition.id, START)).toBe("known");
      await setDefinitionPaused(database, { ...request, paused: false });
      expect(await engine.proposeTick(definition.id, START)).toBe("proposed");
    });
  });

  describe("a stop that the supervision asks for", () => {
    const strategyOf = async (id: string) => {
      const [row] = await database.sql.rows(
        `select desired_status, stop_request_cause, stop_request_reason, stop_close_positions, state
         from strategies where id = $1`,
        [id],
      );
      return row;
    };

    test("is stored with its cause and the message that carries it", async () => {
      const { strategyIds } = await populated(1);
      const [id = ""] = strategyIds;
      await engine.stopFailing(id, "failed too often");
      expect(await strategyOf(id)).toEqual({
        desired_status: "stopped",
        stop_request_cause: "error",
        stop_request_reason: "failed too often",
        stop_close_positions: false,
        state: "running",
      });
      expect(queue.sent.at(-1)).toMatchObject({
        queue: "shards",
        message: { body: { kind: "command", strategyId: id } },
        inTransaction: true,
      });
    });

    test("is asked for once, and leaves the stop of the owner as it was asked for", async () => {
      const { strategyIds } = await populated(2);
      const [id = "", owned = ""] = strategyIds;
      await engine.stopFailing(id, "failed too often");
      await engine.stopFailing(id, "failed again");
      expect(await strategyOf(id)).toMatchObject({ stop_request_reason: "failed too often" });
      const stop = { commandId: randomUUID(), closePositions: true, reason: "enough", actor: "u" };
      await requestStop({ database, queue }, { strategyId: owned, ...stop });
      await engine.stopFailing(owned, "failed too often");
      expect(await strategyOf(owned)).toMatchObject({
        stop_request_cause: "request",
        stop_request_reason: "enough",
        stop_close_positions: true,
      });
    });

    test("of a strategy that is gone does nothing", async () => {
      await expect(engine.stopFailing(randomUUID(), "failed too often")).resolves.toBeUndefined();
    });
  });

  describe("proposing a tick", () => {
    test("stores it with its job, in one transaction", async () => {
      const { definition } = await populated(1);
      expect(await engine.proposeTick(definition.id, START)).toBe("proposed");
      const tickId = tickIdOf(definition.id, START);
      expect(queue.sent.at(-1)).toEqual({
        queue: "ticks",
        message: { key: definition.id, body: { tickId } },
        inTransaction: true,
      });
      expect(await engine.pendingTick(tickId)).toMatchObject({
        tick: { id: tickId, scheduledFor: START, previousFor: null, status: "pending" },
        definition,
      });
    });

    test("of many proposers of the same tick one wins", async () => {
      const { definition } = await populated(1);
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => engine.proposeTick(definition.id, START)),
      );
      expect(answers.filter((answer) => answer === "proposed")).toHaveLength(1);
      expect(new Set(answers)).toEqual(new Set(["proposed", "known"]));
    });

    test("where time waits, a tick that comes while one is open is not stored", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      const next = START + 10 * MINUTE;
      expect(await engine.proposeTick(definition.id, next, { waits: true })).toBe("known");
      expect(await engine.proposeTick(definition.id, next)).toBe("skipped");
    });

    test("a tick that comes while one is open is skipped, once", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      expect(await engine.proposeTick(definition.id, START + 10 * MINUTE)).toBe("skipped");
      expect(await engine.proposeTick(definition.id, START + 10 * MINUTE)).toBe("known");
      const open = await engine.openTicks();
      expect(open.filter(({ definitionId }) => definitionId === definition.id)).toHaveLength(1);
    });

    test("an open tick has at most its whole time left after the database's clock was set back", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      const left = async () => {
        const [row] = await store.database.sql.rows(
          `select extract(epoch from deadline - now())::float8 as seconds, updated_at > now() as is_ahead
           from ticks where definition_id = $1`,
          [definition.id],
        );
        return { ...row };
      };
      const shift =
        "set deadline = now() + interval '1 hour', updated_at = now() + interval '1 hour'";
      await store.database.sql.run(`update ticks ${shift} where definition_id = $1`, [
        definition.id,
      ]);
      await engine.shortenDeadlines(60_000);
      const { seconds, is_ahead } = await left();
      expect(is_ahead).toBe(false);
      expect(seconds).toBeGreaterThan(50);
      expect(seconds).toBeLessThanOrEqual(60);
      await engine.shortenDeadlines(120_000);
      expect((await left())["seconds"]).toBeLessThanOrEqual(60);
    });

    test("two ticks of a definition are never open at once, whoever proposes them", async () => {
      const { definition } = await populated(1);
      const answers = await Promise.all(
        Array.from({ length: 4 }, (_, index) =>
          engine.proposeTick(definition.id, START + index * 10 * MINUTE),
        ),
      );
      expect(answers.filter((answer) => answer === "proposed")).toHaveLength(1);
    });

    test("time does not run backwards in a definition", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      await engine.failTick(recordingClaim(), tickIdOf(definition.id, START), {
        code: "UNKNOWN_AGENT",
        message: "no such agent",
      });
      expect(await engine.proposeTick(definition.id, START - 10 * MINUTE)).toBe("known");
    });

    test("the previous tick is the last that ran, not one that was skipped or failed", async () => {
      const { definition } = await populated(1);
      const first = await startTick(definition.id);
      await engine.proposeTick(definition.id, START + 10 * MINUTE);
      await settle(definition.id, first);
      await engine.closeTick(first);
      await engine.proposeTick(definition.id, START + 20 * MINUTE);
      const next = await engine.pendingTick(tickIdOf(definition.id, START + 20 * MINUTE));
      expect(next?.tick.previousFor).toBe(START);
    });
  });

  describe("committing an analysis", () => {
    test("sends one message to each shard with members that want to run", async () => {
      const { definition, strategyIds } = await populated(5, 2);
      const heads = await headsOf(definition.id);
      expect(heads).toHaveLength(3);
      const last = strategyIds.at(-1);
      await database.sql.run("update strategies set desired_status = 'stopped' where id = $1", [
        last,
      ]);
      await engine.proposeTick(definition.id, START);
      const sentBefore = queue.sent.length;
      const commit = await analysisOf(definition.id, START);
      const shardIds = await engine.commitAnalysis(commit);
      expect(shardIds.toSorted()).toEqual(
        heads
          .slice(0, 2)
          .map(({ id }) => id)
          .toSorted(),
      );
      const sent = queue.sent.slice(sentBefore);
      expect(sent.map(({ message }) => message.key)).toEqual(shardIds);
      expect(sent[0]).toMatchObject({
        queue: "shards",
        message: { body: { kind: "tick", tickId: commit.tick.id } },
        inTransaction: true,
      });
    });

    test("gives back exactly what was analysed, by the definition of that time", async () => {
      const { definition } = await populated(1);
      const tickId = await startTick(definition.id);
      await upsertDefinition(database, { ...definition, periodMinutes: 30 });
      const input = await engine.tickInput(tickId);
      expect(input).toMatchObject({ tick: { status: "running" }, definition, market });
      expect(input?.analysis).toEqual(
        Object.fromEntries(outputs.map((output) => [output.agent, output])),
      );
      expect((await engine.definition(definition.id)).periodMinutes).toBe(30);
    });

    test("a second one for the same tick is fenced and changes nothing", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      const commit = await analysisOf(definition.id, START);
      await engine.commitAnalysis(commit);
      const sentBefore = queue.sent.length;
      await expect(engine.commitAnalysis(commit)).rejects.toThrow(FencedError);
      expect(queue.sent.length).toBe(sentBefore);
    });

    test("with a lost claim nothing is stored and the tick stays pending", async () => {
      const { definition } = await populated(1);
      await engine.proposeTick(definition.id, START);
      const commit = await analysisOf(definition.id, START);
      const claim = recordingClaim(() => new FencedError("claim is gone"));
      await expect(engine.commitAnalysis({ ...commit, claim })).rejects.toThrow(FencedError);
      expect(await engine.tickInput(commit.tick.id)).toBeNull();
      expect(await engine.pendingTick(commit.tick.id)).not.toBeNull();
    });

    test("without a member that wants to run the tick is closed at once", async () => {
      const definition = await upsertDefinition(database, definitionContent(`empty on ${kind}`));
      await engine.proposeTick(definition.id, START);
      const commit = await analysisOf(definition.id, START);
      expect(await engine.commitAnalysis(commit)).toEqual([]);
      expect(await engine.closeTick(commit.tick.id)).toBe("completed");
    });
  });

  describe("closing a tick", () => {
    test("waits for every shard, then counts what they did", async () => {
      const { definition } = await populated(3, 2);
      const tickId = await startTick(definition.id);
      expect(await engine.closeTick(tickId)).toBe("running");
      await settle(definition.id, tickId);
      expect(await engine.closeTick(tickId)).toBe("completed");
      expect(await engine.closeTick(tickId)).toBe("completed");
      const [row] = await database.sql.rows(
        "select shards_total, shards_settled, cycles, failures from ticks where id = $1",
        [tickId],
      );
      expect(row).toEqual({ shards_total: 2, shards_settled: 2, cycles: 3, failures: 0 });
    });

    test("past its deadline it is closed with what there is", async () => {
      const { definition } = await populated(1);
      const tickId = await startTick(definition.id);
      await database.sql.run(
        "update ticks set deadline = now() - interval '1 second' where id = $1",
        [tickId],
      );
      expect(await engine.closeTick(tickId)).toBe("timed_out");
    });

    test("of an unknown tick says so", async () => {
      expect(await engine.closeTick(randomUUID())).toBeNull();
    });
  });

  test("due definitions are read in one statement, however many there are", async () => {
    await populated(3);
    await populated(0);
    store.statements.length = 0;
    const scheduled = await engine.scheduledDefinitions();
    expect(store.statements).toHaveLength(1);
    expect(scheduled.map(({ members }) => members)).toContain(3);
    expect(scheduled.find(({ members }) => members === 0)).toMatchObject({ since: null });
  });

  test("a message with nothing left to do is settled in a transaction of its own", async () => {
    const claim = recordingClaim();
    await engine.dismiss(claim);
    expect(claim.calls).toEqual(["settle"]);
  });

  test("a strategy that cannot be restored is stopped with an alert, its snapshot untouched", async () => {
    const { strategyIds } = await populated(1);
    const before = await engine.actors(strategyIds);
    await engine.isolate(strategyIds[0] ?? "", "hash_mismatch: damaged");
    expect(await engine.actors(strategyIds)).toEqual(before);
    const [row] = await database.sql.rows(
      `select s.state, s.stop_reason, a.kind from strategies s join alerts a on a.strategy_id = s.id
       where s.id = $1`,
      [strategyIds[0]],
    );
    expect(row).toEqual({ state: "stopped", stop_reason: "error", kind: "snapshot_unusable" });
  });

  test("an alert raised again while it is open is counted, not repeated", async () => {
    const subject = randomUUID();
    const alert = {
      kind: "feed_stale",
      severity: "warning",
      subject,
      strategyId: null,
      message: "old price \0",
      detail: { symbol: "BTC/USDT" },
    } as const;
    await engine.raiseAlert(alert);
    await engine.raiseAlert({ ...alert, message: "older price" });
    const rows = await database.sql.rows(
      "select message, occurrences from alerts where subject = $1",
      [subject],
    );
    expect(rows).toEqual([{ message: "older price", occurrences: 2 }]);
  });
});
