import { expect, test } from "vitest";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createAgentRegistry } from "#agents/registry.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import type { Definition } from "#domain/definition.ts";
import type { Tick } from "#domain/tick.ts";
import { DEFAULT_SETTINGS } from "#engine/dependencies.ts";
import { analyseTick, type AnalysisDependencies } from "#engine/group/analyse-tick.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";

const SYMBOL = "BTC/USDT";
const NOON = Date.UTC(2024, 0, 1, 12);
const tick: Tick = {
  id: "tick-1",
  definitionId: "definition-1",
  scheduledFor: NOON,
  previousFor: null,
  status: "pending",
};

test("a tick that nobody stored is analysed: market and every agent once, side by side", async () => {
  const asked: unknown[] = [];
  const observe: AnalysisDependencies["observe"] = async (request) => {
    asked.push(request);
    return { at: request.at, quotes: {}, funding: [], facts: {} };
  };
  const both = Promise.withResolvers<void>();
  let running = 0;
  const together = agent("ta", async () => {
    running += 1;
    if (running === 2) both.resolve();
    await both.promise;
  });
  const agents = createAgentRegistry([together, { ...together, name: "macro" }]);
  const analysed = await analyseTick(
    { tick, definition: definitionOf("ta", "macro") },
    dependencies({ agents, observe }),
  );
  expect(asked).toEqual([
    { symbols: [SYMBOL], at: NOON, since: NOON - 10 * 60_000, timeframeMs: 10 * 60_000 },
  ]);
  expect(analysed.outputs).toMatchObject([
    { agent: "ta", status: "ok" },
    { agent: "macro", status: "ok" },
  ]);
  expect(analysed.input.analysis).toEqual({
    ta: analysed.outputs[0],
    macro: analysed.outputs[1],
  });
  expect(analysed.input).toMatchObject({ tick, market: { at: NOON } });
  expect(Object.isFrozen(analysed.input.analysis["ta"])).toBe(true);
});

test("the market is asked for since the tick before", async () => {
  const since: number[] = [];
  const observe: AnalysisDependencies["observe"] = async (request) => {
    since.push(request.since);
    return { at: request.at, quotes: {}, funding: [], facts: {} };
  };
  const previousFor = NOON - 3 * 86_400_000;
  await analyseTick(
    { tick: { ...tick, previousFor }, definition: definitionOf() },
    dependencies({ observe }),
  );
  expect(since).toEqual([previousFor]);
});

test.each<[string, Partial<Definition>, string]>([
  ["agent", { agents: [{ name: "oracle", required: true, weight: 1 }] }, "UNKNOWN_AGENT"],
  ["decision agent", { decisionAgent: "coin_flip" }, "UNKNOWN_DECISION_AGENT"],
  ["channel", { tradeChannel: "under_the_table" }, "UNKNOWN_CHANNEL"],
])("an unknown %s is told by its code", async (_what, wrong, code) => {
  const definition = { ...definitionOf(), ...wrong };
  await expect(analyseTick({ tick, definition }, dependencies())).rejects.toMatchObject({ code });
});

test("an agent that does not answer is a timeout, a market that does not is an error", async () => {
  const slow = agent("ta", () => new Promise<void>(() => undefined));
  const settings = { ...DEFAULT_SETTINGS, agentTimeoutMs: 5, marketTimeoutMs: 5 };
  const agents = createAgentRegistry([slow]);
  const definition = definitionOf("ta");
  const { outputs } = await analyseTick({ tick, definition }, dependencies({ agents, settings }));
  expect(outputs).toMatchObject([{ status: "timeout", reason: "no answer within 5 ms" }]);
  const observe = () => new Promise<never>(() => undefined);
  const blind = analyseTick({ tick, definition }, dependencies({ agents, settings, observe }));
  await expect(blind).rejects.toMatchObject({ code: "PORT_TIMEOUT" });
});

function dependencies(changes: Partial<AnalysisDependencies> = {}): AnalysisDependencies {
  return {
    agents: createAgentRegistry([]),
    bars: async () => [],
    channels: createChannelRegistry(),
    decisions: createDecisionRegistry(),
    observe: async ({ at }) => ({ at, quotes: {}, funding: [], facts: {} }),
    settings: DEFAULT_SETTINGS,
    timer: systemTimer,
    ...changes,
  };
}

function definitionOf(...agents: string[]): Definition {
  const [base] = bundledDefinitions;
  if (base === undefined) throw new Error("no bundled definition");
  return {
    ...base,
    symbols: [SYMBOL],
    periodMinutes: 10,
    agents: agents.map((name) => ({ name, required: true, weight: 1 })),
  };
}

function agent(name: string, before: () => Promise<void>): BusinessAgent {
  const reading = { confidence: 1, score: 0, reasoning: "", data: {}, provenance: [] };
  return {
    name,
    displayName: name,
    description: "",
    tools: [],
    run: async () => {
      await before();
      return { signal: "NEUTRAL", ...reading };
    },
  };
}
