// `npm start` of a build in which one thing never answers, and says so when it is asked.
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createAgentRegistry } from "#agents/registry.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { start } from "../../../src/cli/start.ts";
import type { Registries } from "../../../src/troupe.ts";

const never = (): Promise<never> => {
  process.stdout.write("asked\n");
  return new Promise(() => undefined);
};

const SILENT: Readonly<Record<string, Partial<Registries>>> = {
  agent: {
    agents: createAgentRegistry(
      createAgentRegistry()
        .list()
        .map((agent) => (agent.name === "ta" ? { ...agent, run: never } : agent)),
    ),
  },
  decision: {
    decisions: createDecisionRegistry(
      createDecisionRegistry()
        .list()
        .map((agent) =>
          agent.name === "multi_agent_conviction" ? { ...agent, decide: never } : agent,
        ),
    ),
  },
  channel: {
    channels: createChannelRegistry(
      createChannelRegistry()
        .list()
        .map((channel) => ({
          ...channel,
          rules: (symbol: string) => channel.rules(symbol),
          execute: never,
        })),
    ),
  },
};

const registries = SILENT[process.argv[2] ?? ""];
if (registries === undefined) throw new Error(`expected one of ${Object.keys(SILENT).join(", ")}`);
process.exitCode = await start({ demo: true, table: false, json: false }, { registries });
