import { DomainError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { momentumRegime } from "./momentum-regime.ts";
import { multiAgentConviction } from "./multi-agent-conviction.ts";
import { mergeParams, parseWith } from "./params.ts";

export const builtInDecisionAgents: readonly DecisionAgent[] = [
  multiAgentConviction,
  momentumRegime,
];

export interface DecisionRegistry {
  /** Throws UNKNOWN_DECISION_AGENT, which names what is registered. */
  get(name: string): DecisionAgent;
  /** By name, ascending. */
  list(): DecisionAgent[];
  /**
   * Params ready for `decide`: the agent's defaults, over them the definition's, over them the
   * strategy's, nested objects merged by key. Throws INVALID_PARAMS with every offending field.
   */
  parseParams(name: string, params: JsonObject, definitionDefaults?: JsonObject): unknown;
}

/** Decision agents are chosen by a name registered in code; nothing is loaded by path. */
export function createDecisionRegistry(
  agents: readonly DecisionAgent[] = builtInDecisionAgents,
): DecisionRegistry {
  const byName = new Map<string, DecisionAgent>();
  for (const agent of agents) {
    if (byName.has(agent.name)) {
      throw new DomainError("DUPLICATE", `two decision agents are named ${agent.name}`);
    }
    byName.set(agent.name, agent);
  }
  const names = [...byName.keys()].toSorted();

  const get = (name: string): DecisionAgent => {
    const agent = byName.get(name);
    if (agent !== undefined) return agent;
    throw new DomainError(
      "UNKNOWN_DECISION_AGENT",
      `expected a registered decision agent (${names.join(", ")}), was ${name}`,
      { details: { name, registered: names } },
    );
  };

  return {
    get,
    list: () => names.map(get),
    parseParams: (name, params, definitionDefaults = {}) =>
      parseWith(get(name), mergeParams(definitionDefaults, params)),
  };
}
