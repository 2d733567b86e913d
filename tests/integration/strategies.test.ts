import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "#domain/errors.ts";
import type { Database } from "#persistence/database.ts";
import {
  setDefinitionActive,
  upsertDefinition,
} from "#persistence/repositories/definitions.repository.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import { createStrategies } from "#persistence/repositories/strategies.repository.ts";
import {
  archiveStrategy,
  requestResume,
  requestStop,
  updateStrategy,
} from "#persistence/repositories/strategy-controls.repository.ts";
import { ensureUser } from "#persistence/repositories/users.repository.ts";
import type { EngineStore } from "#ports/store.ts";
import { type RecordingQueue, recordingQueue } from "#support/recording-queue.ts";
import { commitOf, definitionContent, envelopeAt, populate } from "#support/store-fixtures.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

let definitions = 0;

describe.each(storeKinds)("the strategies' store on %s", (kind) => {
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

  async function populated(count: number, shardSize = 100) {
    definitions += 1;
    const name = `definition ${definitions}`;
    const population = await populate(database, { count, shardSize, name });
    return { ...population, strategyId: population.strategyIds[0] ?? "" };
  }

  const newStrategy = (userId: string, id = randomUUID()) => ({
    id,
    userId,
    name: "one more",
    params: {},
    initialBalance: "500",
    envelope: envelopeAt(id, 0),
  });

  const headsOf = async (definitionId: string) =>
    (await engine.shardHeads()).filter((head) => head.definitionId === definitionId);

  const sizesOf = async (definitionId: string) =>
    Promise.all(
      (await headsOf(definitionId)).map(async ({ id }) => (await engine.members(id)).length),
    );

  async function memberOf(strategyId: string) {
    for (const { id } of await engine.shardHeads()) {
      const found = (await engine.members(id)).find((member) => member.strategyId === strategyId);
      if (found !== undefined) return { ...found, shardId: id };
    }
    throw new Error(`no member ${strategyId}`);
  }

  async function commitStopped(strategyId: string): Promise<void> {
    const { shardId } = await memberOf(strategyId);
    const head = await engine.shardHead(shardId);
    const [actor] = await engine.actors([strategyId]);
    await createJournal(database).commit(
      commitOf(shardId, head?.version ?? -1, [
        {
          strategyId,
          state: "stopped",
          stopReason: "normal_exit",
          stopReasonDetail: null,
          envelope: envelopeAt(strategyId, 0),
          seq: (actor?.seq ?? 0) + 1,
          cycle: null,
        },
      ]),
    );
  }

  async function auditOf(strategyId: string) {
    const rows = await database.sql.rows(
      "select action from audit_log where subject_id = $1 order by created_at, action",
      [strategyId],
    );
    return rows.map((row) => row["action"]);
  }

  describe("creating", () => {
    test("fills shards one after the other", async () => {
      const { definition } = await populated(7, 3);
      expect(await sizesOf(definition.id)).toEqual([3, 3, 1]);
    });

    test("takes the free seats before it opens a shard, and tells the shard's owner", async () => {
      const { definition, userId } = await populated(4, 3);
      const before = await headsOf(definition.id);
      const request = { definitionId: definition.id, shardSize: 3, actor: userId };
      await createStrategies(database, { ...request, strategies: [newStrategy(userId)] });
      expect(await sizesOf(definition.id)).toEqual([3, 2]);
      const after = await headsOf(definition.id);
      expect(after.map(({ rosterVersion }) => rosterVersion)).toEqual(
        before.map(({ rosterVersion }, index) => rosterVersion + index),
      );
    });

    test("many at once never overfill a shard", async () => {
      const { definition, userId } = await populated(1, 3);
      const request = { definitionId: definition.id, shardSize: 3, actor: userId };
      await Promise.all(
        Array.from({ length: 8 }, () =>
          createStrategies(database, { ...request, strategies: [newStrategy(userId)] }),
        ),
      );
      expect(await sizesOf(definition.id)).toEqual([3, 3, 3]);
    });

    test("takes as many statements for a thousand as for one", async () => {
      store.statements.length = 0;
      await populated(1);
      const forOne = store.statements.length;
      store.statements.length = 0;
      await populated(1000);
      expect(store.statements.length).toBe(forOne);
    });

    test("is all or nothing", async () => {
      const { definition, userId } = await populated(1);
      const taken = newStrategy(userId);
      const request = { definitionId: definition.id, shardSize: 3, actor: userId };
      const strategies = [newStrategy(userId), taken, { ...taken }];
      await expect(createStrategies(database, { ...request, strategies })).rejects.toMatchObject({
        code: "DUPLICATE",
      });
      expect(await sizesOf(definition.id)).toEqual([1]);
    });

    test("is refused for an unknown and for an inactive definition", async () => {
      const { definition, userId } = await populated(0);
      const request = { shardSize: 3, actor: userId, strategies: [newStrategy(userId)] };
      await expect(
        createStrategies(database, { ...request, definitionId: randomUUID() }),
      ).rejects.toMatchObject({ code: "DEFINITION_NOT_FOUND" });
      const definitionId = definition.id;
      await setDefinitionActive(database, { definitionId, isActive: false, actor: userId });
      await expect(createStrategies(database, { ...request, definitionId })).rejects.toMatchObject({
        code: "DEFINITION_INACTIVE",
      });
    });

    test("stores the actor's first snapshot and the first params", async () => {
      const { strategyId } = await populated(1);
      expect(await engine.actors([strategyId])).toEqual([
        { strategyId, envelope: envelopeAt(strategyId, 0), seq: 0 },
      ]);
      expect(await memberOf(strategyId)).toMatchObject({
        desiredStatus: "running",
        stopRequest: null,
        params: { buy_threshold: 50 },
        paramsVersion: 1,
        state: "running",
      });
    });
  });

  describe("I14 desired state", () => {
    test("a stop is stored with the message that carries it", async () => {
      const { strategyId } = await populated(2);
      const { shardId } = await memberOf(strategyId);
      const before = await engine.shardHead(shardId);
      const commandId = randomUUID();
      const stop = { strategyId, commandId, closePositions: true, reason: "enough", actor: "u1" };
      expect(await requestStop({ database, queue }, stop)).toBe("requested");
      expect(await memberOf(strategyId)).toMatchObject({
        desiredStatus: "stopped",
        stopRequest: { commandId, closePositions: true, reason: "enough" },
        state: "running",
      });
      expect(queue.sent.at(-1)).toEqual({
        queue: "shards",
        message: { key: shardId, body: { kind: "command", strategyId, commandId } },
        inTransaction: true,
      });
      const after = await engine.shardHead(shardId);
      expect(after?.rosterVersion).toBe((before?.rosterVersion ?? 0) + 1);
      expect(await auditOf(strategyId)).toEqual(["strategy.create", "strategy.stop"]);
    });

    test("the same stop again is one stop", async () => {
      const { strategyId } = await populated(1);
      const commandId = randomUUID();
      const stop = { strategyId, commandId, closePositions: false, reason: "", actor: "u1" };
      await requestStop({ database, queue }, stop);
      const sent = queue.sent.length;
      expect(await requestStop({ database, queue }, stop)).toBe("unchanged");
      expect(queue.sent.length).toBe(sent);
    });

    test("a stop that is carried out clears its request; a resume then wants it to run", async () => {
      const { strategyId } = await populated(1);
      const control = { strategyId, actor: "u1" };
      const stop = { ...control, commandId: randomUUID(), closePositions: false, reason: "" };
      await requestStop({ database, queue }, stop);
      await commitStopped(strategyId);
      expect(await memberOf(strategyId)).toMatchObject({ state: "stopped", stopRequest: null });
      const resume = { ...control, commandId: randomUUID() };
      expect(await requestResume({ database, queue }, resume)).toBe("requested");
      expect(await memberOf(strategyId)).toMatchObject({
        state: "stopped",
        desiredStatus: "running",
      });
      expect(await requestResume({ database, queue }, resume)).toBe("unchanged");
    });

    test("a stop asked for before a resume was carried out takes that wish back", async () => {
      const { strategyId } = await populated(1);
      const control = { strategyId, actor: "u1" };
      const stop = { ...control, closePositions: false, reason: "" };
      await requestStop({ database, queue }, { ...stop, commandId: randomUUID() });
      await commitStopped(strategyId);
      await requestResume({ database, queue }, { ...control, commandId: randomUUID() });
      const again = { ...stop, commandId: randomUUID() };
      expect(await requestStop({ database, queue }, again)).toBe("requested");
      expect(await memberOf(strategyId)).toMatchObject({
        state: "stopped",
        desiredStatus: "stopped",
      });
    });

    test("a resume while the stop is under way is refused", async () => {
      const { strategyId } = await populated(1);
      const control = { strategyId, commandId: randomUUID(), actor: "u1" };
      await requestStop({ database, queue }, { ...control, closePositions: true, reason: "" });
      await expect(requestResume({ database, queue }, control)).rejects.toMatchObject({
        code: "INVALID_TRANSITION",
      });
    });

    test("a failing send takes the stop back with it", async () => {
      const { strategyId } = await populated(1);
      const broken: RecordingQueue = {
        ...recordingQueue(),
        send: () => Promise.reject(new DomainError("PORT_UNAVAILABLE", "queue is down")),
      };
      const stop = { strategyId, closePositions: true, reason: "", actor: "u1" };
      await expect(
        requestStop({ database, queue: broken }, { ...stop, commandId: randomUUID() }),
      ).rejects.toMatchObject({ code: "PORT_UNAVAILABLE" });
      expect(await memberOf(strategyId)).toMatchObject({
        desiredStatus: "running",
        stopRequest: null,
      });
    });

    test("controls of an unknown strategy are refused", async () => {
      const control = { strategyId: randomUUID(), commandId: randomUUID(), actor: "u1" };
      await expect(requestResume({ database, queue }, control)).rejects.toMatchObject({
        code: "STRATEGY_NOT_FOUND",
      });
    });
  });

  describe("editing", () => {
    test("new params are a new version and the old ones stay known", async () => {
      const { strategyId } = await populated(1);
      const params = { buy_threshold: 60 };
      expect(await updateStrategy(database, { strategyId, actor: "u1", params })).toBe(2);
      expect(await memberOf(strategyId)).toMatchObject({ params, paramsVersion: 2 });
      const rows = await database.sql.rows(
        "select version, params from strategy_param_versions where strategy_id = $1 order by version",
        [strategyId],
      );
      expect(rows).toEqual([
        { version: 1, params: { buy_threshold: 50 } },
        { version: 2, params },
      ]);
    });

    test("a new name leaves the params version alone", async () => {
      const { strategyId } = await populated(1);
      expect(await updateStrategy(database, { strategyId, actor: "u1", name: "better" })).toBe(1);
    });

    test("only a stopped strategy can be archived, and then its seat is free", async () => {
      const { definition, strategyId } = await populated(1);
      const request = { strategyId, actor: "u1" };
      await expect(archiveStrategy(database, request)).rejects.toMatchObject({
        code: "INVALID_TRANSITION",
      });
      await commitStopped(strategyId);
      await archiveStrategy(database, request);
      expect(await sizesOf(definition.id)).toEqual([0]);
    });
  });

  describe("definitions", () => {
    test("the same content again is no new version, whatever the order of its keys", async () => {
      const content = { ...definitionContent(`same on ${kind}`), defaultParams: { a: 1, b: 2 } };
      const first = await upsertDefinition(database, content);
      const again = await upsertDefinition(database, { ...content, defaultParams: { b: 2, a: 1 } });
      expect(again).toEqual(first);
    });

    test("a change is the next version, kept beside the old one", async () => {
      const content = definitionContent(`changed on ${kind}`);
      const first = await upsertDefinition(database, content);
      const second = await upsertDefinition(database, { ...content, periodMinutes: 20 });
      expect([first.version, second.version]).toEqual([1, 2]);
      const rows = await database.sql.rows(
        `select version, (content->>'periodMinutes')::int as period from definition_versions
         where definition_id = $1 order by version`,
        [first.id],
      );
      expect(rows).toEqual([
        { version: 1, period: 10 },
        { version: 2, period: 20 },
      ]);
    });

    test("a definition an admin switched off stays off when its code changes", async () => {
      const content = definitionContent(`off on ${kind}`);
      const { id } = await upsertDefinition(database, content);
      await setDefinitionActive(database, { definitionId: id, isActive: false, actor: "admin" });
      const changed = await upsertDefinition(database, { ...content, periodMinutes: 20 });
      expect(changed.isActive).toBe(false);
    });
  });

  test("a user of a known email keeps name and role", async () => {
    const email = "someone@example.test";
    const first = await ensureUser(database, { email, fullName: "Some One", role: "trader" });
    const again = await ensureUser(database, { email, fullName: "Other", role: "admin" });
    expect(again).toEqual(first);
  });
});
