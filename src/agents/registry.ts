import { DomainError } from "#domain/errors.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";
import { macroAgent } from "./macro.ts";
import { onchainAgent } from "./onchain.ts";
import { regimeFilterAgent } from "./regime-filter.ts";
import { taMomentumAgent } from "./ta-momentum.ts";
import { taAgent } from "./ta.ts";

export interface AgentRegistry {
  /** @throws DomainError UNKNOWN_AGENT naming the known ones. */
  get(name: string): BusinessAgent;
  /** By name, ascending. */
  list(): BusinessAgent[];
}

const AGENTS: readonly BusinessAgent[] = [
  macroAgent,
  onchainAgent,
  regimeFilterAgent,
  taAgent,
  taMomentumAgent,
];

/** Knows every agent a definition may name. */
export function createAgentRegistry(agents: readonly BusinessAgent[] = AGENTS): AgentRegistry {
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  const names = [...byName.keys()].toSorted();
  return {
    get: (name) => {
      const agent = byName.get(name);
      if (agent !== undefined) return agent;
      const message = `expected one of the agents ${names.join(", ")}, was ${name}`;
      throw new DomainError("UNKNOWN_AGENT", message, { details: { name, known: names } });
    },
    list: () => names.flatMap((name) => byName.get(name) ?? []),
  };
}
