import type { Analysis } from "#domain/analysis.ts";
import type { z } from "zod";

/** An agent's data of the agreed shape, or why there is none. */
export type AgentReading<Data> =
  | { data: Data }
  | { problem: "missing_agent_output" | "malformed_agent_data"; reason: string };

/**
 * Reads one agent's `data`. The analysis of a tick is frozen and shared by all strategies, so each
 * is validated once.
 */
export function createAgentReader<Data>(
  agent: string,
  schema: z.ZodType<Data>,
): (analysis: Analysis) => AgentReading<Data> {
  const known = new WeakMap<object, AgentReading<Data>>();
  return (analysis) => {
    const output = analysis[agent];
    if (output === undefined) return missing(`the agent ${agent} did not run`);
    if (output.status !== "ok") {
      return missing(`the agent ${agent} gave no reading (${output.status}: ${output.reason})`);
    }
    const before = known.get(output.data);
    if (before !== undefined) return before;
    const reading = parse(agent, schema, output.data);
    known.set(output.data, reading);
    return reading;
  };
}

function parse<Data>(agent: string, schema: z.ZodType<Data>, data: unknown): AgentReading<Data> {
  const result = schema.safeParse(data);
  if (result.success) return { data: result.data };
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.join(".") || "data"}: ${message}`,
  );
  return {
    problem: "malformed_agent_data",
    reason: `the agent ${agent} gave data of the wrong shape (${faults.join("; ")})`,
  };
}

function missing(reason: string): { problem: "missing_agent_output"; reason: string } {
  return { problem: "missing_agent_output", reason };
}
