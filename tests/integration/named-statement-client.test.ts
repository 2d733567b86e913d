import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { Journal } from "#ports/store.ts";
import { recordingQueue } from "#support/recording-queue.ts";
import { commitOf, cycleOf, populate, writeOf } from "#support/store-fixtures.ts";
import { openTestStore, type TestStore } from "#support/test-store.ts";

describe("the statement of a commit", () => {
  let store: TestStore;
  let commit: () => ReturnType<Journal["commit"]>;

  beforeAll(async () => {
    store = await openTestStore("postgres");
    const { database } = store;
    const { strategyIds } = await populate(database, { count: 1, name: "prepared" });
    const [head] = await createEngineStore(database, recordingQueue()).shardHeads();
    const [strategyId] = strategyIds;
    if (head === undefined || strategyId === undefined) throw new Error("no shard");
    const journal = createJournal(database);
    let version = head.version;
    commit = async () => {
      const write = writeOf(strategyId, cycleOf(strategyId, version + 1));
      const result = await journal.commit(commitOf(head.id, version, [write]));
      version = result.version;
      return result;
    };
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("is parsed once per connection", async () => {
    await commit();
    await commit();
    const prepared =
      "select name, (generic_plans + custom_plans)::int as runs from pg_prepared_statements";
    expect(await store.database.sql.rows(prepared)).toEqual([{ name: "store_members", runs: 2 }]);
  });

  test("goes on without a name where the session is another one each time", async () => {
    await store.database.sql.run("deallocate all");
    await expect(commit()).rejects.toThrow("26000");
    expect(await commit()).toMatchObject({ stored: [{ state: "running" }] });
  });
});
