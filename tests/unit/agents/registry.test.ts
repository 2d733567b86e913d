import { expect, test } from "vitest";
import { createAgentRegistry } from "#agents/registry.ts";
import { listTools } from "#tools/registry.ts";
import { agentContext } from "#support/agent-context.ts";

const registry = createAgentRegistry();

test("the registry knows the agents definitions name", () => {
  expect(registry.list().map((agent) => agent.name)).toEqual([
    "macro",
    "onchain",
    "regime_filter",
    "ta",
    "ta_momentum",
  ]);
  expect(registry.get("ta").displayName).toBe("Momentum Scout");
});

test("an unknown agent is refused with the known ones", () => {
  expect(() => registry.get("oracle")).toThrow(
    expect.objectContaining({
      code: "UNKNOWN_AGENT",
      message:
        "expected one of the agents macro, onchain, regime_filter, ta, ta_momentum, was oracle",
    }),
  );
});

test("every tool an agent calls is listed", () => {
  const tools = listTools().map((tool) => tool.name);
  for (const agent of registry.list())
    expect(tools).toEqual(expect.arrayContaining([...agent.tools]));
});

test.each(["macro", "onchain"])("%s has no recorded source and says so", async (name) => {
  await expect(registry.get(name).run(agentContext({}))).rejects.toMatchObject({
    name: "SourceUnavailable",
    message: expect.stringContaining("no source of"),
  });
});
