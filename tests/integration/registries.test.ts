import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAgentRegistry } from "#agents/registry.ts";
import { syncRegistries } from "#persistence/repositories/registries.repository.ts";
import { openTestStore, type TestStore } from "#support/test-store.ts";
import { listTools } from "#tools/registry.ts";

describe.each(["postgres", "pglite"] as const)("the registries on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const active = async (): Promise<unknown[]> => {
    const rows = await store.database.sql.rows(
      "select agent_name from agent_registry where is_active order by agent_name",
    );
    return rows.map((row) => row["agent_name"]);
  };

  test("hold the agents and tools of the code, however often it starts", async () => {
    const registries = { agents: createAgentRegistry().list(), tools: listTools() };
    await syncRegistries(store.database, registries);
    await syncRegistries(store.database, registries);
    expect(await active()).toEqual(registries.agents.map(({ name }) => name));
    const [row] = await store.database.sql.rows(
      "select count(*)::int as tools from tool_registry where is_active",
    );
    expect(row?.["tools"]).toBe(registries.tools.length);
  });

  test("an agent the code no longer has goes inactive and comes back with it", async () => {
    const agents = createAgentRegistry().list();
    await syncRegistries(store.database, { agents: agents.slice(1), tools: listTools() });
    expect(await active()).toEqual(agents.slice(1).map(({ name }) => name));
    await syncRegistries(store.database, { agents, tools: listTools() });
    expect(await active()).toEqual(agents.map(({ name }) => name));
  });
});
