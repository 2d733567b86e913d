import { DriverException, ValidationError } from "@mikro-orm/core";
import { DomainError, errorMessage, InvariantError, NotFoundError } from "#domain/errors.ts";

/** What a database error says about itself; message texts are never read. */
export interface DatabaseFault {
  sqlState: string;
  constraint: string | null;
}

const sqlStatePattern = /^(?:\d[\dA-Z]|F0|HV|P0|XX)[\dA-Z]{3}$/;

// Serialization, deadlock, lock not available, and the classes for connection, resources, operator
// intervention, system error, and a transaction that the server ended under us.
const transientClasses = new Set(["08", "25", "40", "53", "55", "57", "58"]);

// Values the database cannot store, rules they break, and limits they exceed.
const dataClasses = new Set(["22", "23", "54"]);

// The server is not there, is on its way out or not yet in, or lets nobody in.
const unreachable = /^(08|28|3D|57P0|53300|55000|F0)/;
// No room on the disk, no memory, read-only, or a disk that fails.
const unwritable = /^(53|58|25006)/;

// The server lets this user not in, or not do what the product needs.
const refusals = /^(28|3D|3F|42501|42P07)/;

/** What to do about it, where the server's own words do not say. */
const REMEDIES: Readonly<Record<string, string>> = {
  "28P01": "correct the user or password in DATABASE_URL",
  "28000":
    "correct the user in DATABASE_URL, let it in (pg_hba.conf), or, where the server wants TLS, add ?sslmode=require",
  "3D000": "create that database, or correct its name in DATABASE_URL",
  "3F000": "create that schema, or name it by ?schema= in DATABASE_URL, which creates it",
  "42501":
    "let this user create tables in its schema (grant create on schema …) and schemas in its database " +
    "(grant create on database …), or set DATABASE_URL to another user",
  "42P07":
    "tables of these names exist and none is listed in schema_migrations; name a schema of its own " +
    "by ?schema= in DATABASE_URL, or restore a whole backup",
  "53100": "make room on the disk",
  "53300": "end other programs, or raise max_connections",
  "55000": "let the database take connections (alter database … allow_connections)",
  "25006": "it is a standby, or default_transaction_read_only is on",
  "57014": "raise statement_timeout, should it be set for this user or database",
};

/** What keeps the database from doing any work at all. */
export interface Trouble {
  kind: "database_unreachable" | "database_not_writable";
  reason: string;
  /** Of a session, so that another one may be able to write. */
  isReadOnly: boolean;
}

const duplicates: Readonly<Record<string, string>> = {
  uq_user_email: "a user with this email exists",
  uq_strategy_definition_name: "a definition with this name exists",
  uq_exchange_account: "this user has an account of that label at the exchange",
};

/** Finds the database's own report in an error or its causes; null when it has none. */
export function databaseFault(error: unknown): DatabaseFault | null {
  // The queue hands over plain objects with an error's fields.
  for (let current = error; isObject(current); current = causeOf(current)) {
    if (!("code" in current) || typeof current.code !== "string") continue;
    if (!sqlStatePattern.test(current.code)) continue;
    const constraint = "constraint" in current ? current.constraint : null;
    return {
      sqlState: current.code,
      constraint: typeof constraint === "string" ? constraint : null,
    };
  }
  return null;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function causeOf(error: object): unknown {
  return "cause" in error ? error.cause : null;
}

/** Of an error of the stores, or of the queue's; null for what other work need not meet too. */
export function troubleIn(error: unknown): Trouble | null {
  if (!(error instanceof DomainError)) return null;
  const { reason, sqlState, trouble } = error.details;
  if (trouble === "database_unreachable" || trouble === "database_not_writable") {
    return { kind: trouble, reason: String(reason), isReadOnly: sqlState === "25006" };
  }
  // The work queue waited in vain for the database.
  const isTimeout = error.code === "PORT_TIMEOUT";
  if (!isTimeout) return null;
  return { kind: "database_unreachable", reason: error.message, isReadOnly: false };
}

function troubleOf(fault: DatabaseFault | null): Trouble["kind"] | null {
  if (fault === null || unreachable.test(fault.sqlState)) return "database_unreachable";
  return unwritable.test(fault.sqlState) ? "database_not_writable" : null;
}

function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return errorMessage(root);
}

/** The row is at fault: the same write without it may succeed (I6). */
export function isDataError(error: unknown): boolean {
  const fault = databaseFault(error);
  return fault !== null && dataClasses.has(fault.sqlState.slice(0, 2));
}

/** What a statement's failure means to the caller. An error without a report lost its connection. */
export function fromDriver(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const fault = databaseFault(error);
  const reason = rootMessage(error);
  const trouble = troubleOf(fault);
  const found = trouble === null ? {} : { trouble, reason };
  if (fault === null) {
    const message = `the database cannot be reached: ${reason}`;
    return new DomainError("PORT_UNAVAILABLE", message, { cause: error, details: found });
  }
  const { constraint, sqlState } = fault;
  const details = { sqlState, constraint, ...found };
  return reported(fault, reason, { cause: withoutParams(error), details });
}

interface Report {
  cause: unknown;
  details: Record<string, unknown>;
}

function reported(fault: DatabaseFault, reason: string, report: Report): DomainError {
  const { sqlState } = fault;
  const kind = sqlState.slice(0, 2);
  const words = `${reason} (${sqlState})${remedyOf(sqlState)}`;
  if (transientClasses.has(kind)) {
    const message = `the database did not finish the work: ${words}`;
    return new DomainError("PORT_UNAVAILABLE", message, report);
  }
  if (refusals.test(sqlState)) {
    return new DomainError("PORT_UNAVAILABLE", `the database refuses: ${words}`, report);
  }
  if (sqlState === "23505") {
    const duplicate = duplicates[fault.constraint ?? ""];
    return new DomainError("DUPLICATE", duplicate ?? "the same thing is already stored", report);
  }
  if (sqlState === "23503") return missingReference(fault, report);
  if (dataClasses.has(kind)) {
    return new DomainError("INVALID_INPUT", "the database refused a value", report);
  }
  return new InvariantError(`the database refused a statement: ${words}`, report);
}

function remedyOf(sqlState: string): string {
  const remedy = REMEDIES[sqlState];
  return remedy === undefined ? "" : `; ${remedy}`;
}

function missingReference(fault: DatabaseFault, options: Report): DomainError {
  if (fault.constraint?.includes("definition")) {
    return new NotFoundError("DEFINITION_NOT_FOUND", "no such definition", options);
  }
  if (fault.constraint?.includes("strategy")) {
    return new NotFoundError("STRATEGY_NOT_FOUND", "no such strategy", options);
  }
  return new DomainError("INVALID_INPUT", "the database knows no such reference", options);
}

/** What a failure of work with entities means; an error that is not the database's or the ORM's stays. */
export function fromOrm(error: unknown): unknown {
  if (error instanceof DriverException) return fromDriver(error);
  // Neither its message nor its cause: they show the entity, which may hold secrets (I13).
  if (error instanceof ValidationError) {
    const entity: unknown = error.getEntity()?.constructor.name;
    return new InvariantError(`an entity cannot be stored as it is: ${String(entity)}`);
  }
  // The queue's statements of the same transaction report as the driver does.
  if (!(error instanceof DomainError) && databaseFault(error) !== null) return fromDriver(error);
  return error;
}

/** PGlite hangs statement and parameters on its errors; parameters may be secrets (I13). */
function withoutParams(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  for (const key of ["params", "query", "queryOptions"]) Reflect.deleteProperty(error, key);
  return error;
}
