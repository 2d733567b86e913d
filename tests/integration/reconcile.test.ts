import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startEngine, wipe, type EngineFixture } from "#support/engine.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

describe.each(storeKinds)("what an owner asked for on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(() => wipe(store));

  afterAll(() => store[Symbol.asyncDispose]());

  test("is carried out at the next boot when the message of a stop was lost", async () => {
    const { first, id, sibling } = await stoppedWithTwo();
    await first.rows(
      `update strategies set desired_status = 'stopped', stop_command_id = gen_random_uuid(),
         stop_close_positions = true, stop_request_reason = 'a lost stop' where id = $1`,
      [id],
    );
    await using second = await startEngine(store, {}, first);
    await second.until(id, "stopped");
    expect(await second.strategy(id)).toMatchObject({ stop_reason: "normal_exit" });
    expect((await second.cycles(id)).at(-1)).toMatchObject({ cause: "stop" });
    expect(await second.strategy(sibling)).toMatchObject({ state: "running" });
  });

  test("is carried out at the next boot when only the wish was written, keeping positions", async () => {
    const { first, id } = await stoppedWithTwo();
    await first.rows("update strategies set desired_status = 'stopped' where id = $1", [id]);
    await using second = await startEngine(store, {}, first);
    await second.until(id, "stopped");
    expect(await second.counts(id)).toEqual([1]);
  });

  test("is carried out at the next boot when the message of a resume was lost", async () => {
    const { first, id } = await stoppedWithTwo({ stopFirst: true });
    await first.rows("update strategies set desired_status = 'running' where id = $1", [id]);
    await using second = await startEngine(store, {}, first);
    await second.until(id, "running");
  });

  test("is not asked for again where all is as wanted", async () => {
    const { first } = await stoppedWithTwo({ stopFirst: true });
    await using second = await startEngine(store, {}, first);
    const open = () => second.rows("select 1 from pgboss.job where state < 'completed'");
    await vi.waitFor(async () => expect(await open()).toEqual([]));
    expect(await second.store.database.sql.rows("select 1 from alerts")).toEqual([]);
  });

  test("is carried out whatever the case of the id it was asked with", async () => {
    await using troupe = await startEngine(store);
    const [id = ""] = await troupe.create(await troupe.define(), "a");
    await troupe.tick();
    await troupe.askStop(id.toUpperCase(), false);
    await troupe.until(id, "stopped");
    await troupe.services.strategies.resume(id.toUpperCase(), { actor: "test" });
    await troupe.until(id, "running");
  });

  async function stoppedWithTwo({ stopFirst = false } = {}) {
    const first: EngineFixture = await startEngine(store);
    const [id = "", sibling = ""] = await first.create(await first.define(), "a", "b");
    await first.tick();
    if (stopFirst) await first.stopStrategy(id, false);
    await first.stop();
    return { first, id, sibling };
  }
});
