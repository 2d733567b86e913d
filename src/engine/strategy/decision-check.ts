import type { Decision } from "#domain/decision.ts";

const SIGNALS = ["BUY", "SELL", "LONG", "SHORT", "HOLD"];

/**
 * Decision agents are plugins: what one returns is looked at before it becomes part of a strategy's
 * state, for a snapshot that cannot be read back would stop the strategy at the next boot.
 * @throws Error naming the first thing that is wrong
 */
export function checkDecision(decision: Decision): Decision {
  const problem = problemOf(decision);
  if (problem !== null) throw new Error(`the decision agent returned ${problem}`);
  return decision;
}

function problemOf(decision: Partial<Record<keyof Decision, unknown>> | undefined): string | null {
  if (!isPlainObject(decision)) return "no decision";
  const { details, items, protections, rationale, signal, state, warnings } = decision;
  if (!SIGNALS.includes(String(signal))) return `an unknown signal "${String(signal)}"`;
  if (!Array.isArray(items)) return "items that are no list";
  if (typeof rationale !== "string") return "a rationale that is no text";
  if (!Array.isArray(warnings)) return "warnings that are no list";
  if (!isPlainObject(details)) return "details that are no plain object";
  if (state !== null && !isPlainObject(state)) return "a state that is no plain object";
  if (protections !== undefined && !Array.isArray(protections))
    return "protections that are no list";
  return unstorable(state, "state") ?? unstorable(details, "details");
}

/** Stored as JSON, NaN would come back as null and a date as text: not what was remembered (I8). */
function unstorable(value: unknown, path: string): string | null {
  if (typeof value === "number") return Number.isFinite(value) ? null : `${path} that is ${value}`;
  if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") {
    return `${path} that is a ${typeof value}`;
  }
  if (typeof value !== "object" || value === null) return null;
  if (!Array.isArray(value) && !isPlainObject(value)) return `${path} that is no plain object`;
  for (const [key, part] of Object.entries(value)) {
    const problem = unstorable(part, `${path}.${key}`);
    if (problem !== null) return problem;
  }
  return null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
