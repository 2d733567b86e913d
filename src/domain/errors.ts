/** Every code a caller can meet. Adding one without mapping it in the API fails the type check. */
export type ErrorCode =
  | "DEFINITION_NOT_FOUND"
  | "STRATEGY_NOT_FOUND"
  | "CYCLE_NOT_FOUND"
  | "INVALID_PARAMS"
  | "INVALID_INPUT"
  | "INVALID_CONFIG"
  | "INVALID_DATA_FILE"
  | "INVALID_TRANSITION"
  | "DEFINITION_INACTIVE"
  | "UNKNOWN_AGENT"
  | "UNKNOWN_DECISION_AGENT"
  | "UNKNOWN_CHANNEL"
  | "VERSION_CONFLICT"
  | "DUPLICATE"
  | "FENCED"
  | "DATA_FOLDER_TAKEN"
  | "PRUNE_RUNNING"
  | "PORT_UNAVAILABLE"
  | "PORT_TIMEOUT"
  | "SNAPSHOT_INCOMPATIBLE"
  | "SCHEMA_MISMATCH"
  | "SHUTTING_DOWN"
  | "INVARIANT";

export interface FieldError {
  /** Dotted path, e.g. `agent_weights.macro`. */
  field: string;
  message: string;
}

export interface ErrorOptionsWithDetails {
  cause?: unknown;
  details?: Readonly<Record<string, unknown>>;
  fields?: readonly FieldError[];
}

/**
 * The base of everything the product throws on purpose. `code` is stable and public; `message` says
 * what was expected, what was found and how to mend it; `fields` names the offending inputs.
 */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly fields: readonly FieldError[];

  constructor(code: ErrorCode, message: string, options: ErrorOptionsWithDetails = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = this.constructor.name;
    this.code = code;
    this.details = options.details ?? {};
    this.fields = options.fields ?? [];
  }
}

export class NotFoundError extends DomainError {}
export class InvalidInputError extends DomainError {}

/** The caller's claim on its work is gone: another node owns it now. Nothing was written (I7). */
export class FencedError extends DomainError {
  constructor(message: string, options: ErrorOptionsWithDetails = {}) {
    super("FENCED", message, options);
  }
}

/** A bug in this program, not in its input. */
export class InvariantError extends DomainError {
  constructor(message: string, options: ErrorOptionsWithDetails = {}) {
    super("INVARIANT", `Invariant: ${message}`, options);
  }
}

/** Text of an unknown thrown value, for storage and logs; never empty. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  // Node reports a refused connection as an error of several errors, without a message of its own.
  if (error.message !== "") return error.message;
  return error instanceof AggregateError ? error.errors.map(errorMessage).join("; ") : error.name;
}

/** Some libraries hand over a plain object with an error's fields. */
function textOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  for (const field of ["message", "code", "name"]) {
    const value: unknown = Reflect.get(thrown, field);
    if (typeof value === "string" && value !== "") return value;
  }
  return `an error without a message (${Object.keys(thrown).join(", ")})`;
}
