import { DomainError } from "#domain/errors.ts";
import { remoteProblem } from "./client.ts";
import { jsonText, printableLines } from "./printable.ts";

/** 0: done. 1: it did not work. 2: what was asked for is wrong. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const WRONG_REQUEST: ReadonlySet<string> = new Set([
  "BAD_REQUEST",
  "CYCLE_NOT_FOUND",
  "DEFINITION_NOT_FOUND",
  "INVALID_CONFIG",
  "INVALID_DATA_FILE",
  "INVALID_INPUT",
  "INVALID_PARAMS",
  "PAYLOAD_TOO_LARGE",
  "STRATEGY_NOT_FOUND",
]);

export interface Problem {
  code: string;
  message: string;
  fields: readonly { field: string; message: string }[];
}

/** Prints the error to stderr, as JSON if asked for, and returns the exit code it stands for. */
export function report(error: unknown, { json = false }: { json?: boolean } = {}): number {
  const problem = problemOf(error);
  console.error(json ? jsonText({ error: problem }, 0) : printableLines(inWords(problem)));
  return WRONG_REQUEST.has(problem.code) ? EXIT.usage : EXIT.failed;
}

/** What to tell a person about an error. A bug keeps its stack, everything foreseen has none. */
function problemOf(error: unknown): Problem {
  if (error instanceof DomainError) {
    return { code: error.code, message: error.message, fields: error.fields };
  }
  const remote = remoteProblem(error);
  if (remote !== null) return remote;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "INTERNAL", message: text, fields: [] };
}

function inWords({ code, message, fields }: Problem): string {
  const details = fields.filter((field) => !message.includes(field.message));
  const lines = details.map((field) => `  ${field.field}: ${field.message}`);
  return [`troupe: ${message} (${code})`, ...lines].join("\n");
}
