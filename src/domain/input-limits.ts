// What no input may be, whatever procedure it is for: looked at before any schema sees it.
import type { FieldError } from "./errors.ts";
import { grouped, quoted } from "./quote.ts";

/** Far deeper than any params of ours, and far from what exhausts the stack of who walks them. */
const DEEPEST = 20;
const MOST_VALUES = 20_000;
/** Enough to say what is wrong. */
const MOST_PROBLEMS = 20;

interface Part {
  path: string;
  value: unknown;
  depth: number;
}

/**
 * Texts that PostgreSQL cannot store (NUL, half a surrogate pair), and more depth or values than
 * anybody means; empty when there are none.
 */
export function inputProblems(input: unknown): FieldError[] {
  const problems: FieldError[] = [];
  const parts: Part[] = [{ path: "", value: input, depth: 0 }];
  let seen = 0;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    seen += 1;
    const problem = problemOf(part, seen);
    if (problem !== null) problems.push({ field: fieldOf(part, seen), message: problem });
    if (problems.length >= MOST_PROBLEMS || seen > MOST_VALUES) break;
    if (problem === null) push(parts, part, problems);
  }
  return problems;
}

/** Of too many values no single one is to blame. */
function fieldOf({ path }: Part, seen: number): string {
  const [first = ""] = path.split(".", 1);
  return (seen > MOST_VALUES ? first : path) || "input";
}

function problemOf({ value, depth }: Part, seen: number): string | null {
  if (seen > MOST_VALUES) return `expected at most ${grouped(MOST_VALUES)} values in all`;
  if (typeof value === "string") return textProblem(value);
  const isContainer = typeof value === "object" && value !== null;
  return isContainer && depth > DEEPEST ? `expected at most ${DEEPEST} levels of nesting` : null;
}

/** Why a text cannot be stored, or null. */
function textProblem(text: string): string | null {
  if (text.includes("\0")) return "expected a text without NUL characters";
  if (text.isWellFormed()) return null;
  return "expected whole characters, was a text with half of a surrogate pair";
}

function push(parts: Part[], { path, value, depth }: Part, problems: FieldError[]): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, below] of Object.entries(value)) {
    // Assigning to `__proto__` would give an object a prototype instead of a property.
    const isSound = Array.isArray(value) || (key !== "__proto__" && textProblem(key) === null);
    const name = isSound ? key : quoted(key);
    const field = path === "" ? name : `${path}.${name}`;
    if (!isSound) problems.push({ field, message: "expected a name that can be stored" });
    parts.push({ path: field, value: below, depth: depth + 1 });
  }
}
