import { TRPCError, type TRPC_ERROR_CODE_KEY } from "@trpc/server";
import { z } from "zod";
import { DomainError, type ErrorCode, type FieldError } from "#domain/errors.ts";
import { fieldErrorsOf, fieldsInWords, firstFields } from "#domain/field-errors.ts";
import { shortened } from "#domain/quote.ts";

/** Nobody reads more than this of one message. */
const MOST_MESSAGE = 2_000;

/** The one place where a domain code gets its transport code; a code without one fails the type check. */
const TRANSPORT_CODES: Readonly<Record<ErrorCode, TRPC_ERROR_CODE_KEY>> = {
  DEFINITION_NOT_FOUND: "NOT_FOUND",
  STRATEGY_NOT_FOUND: "NOT_FOUND",
  CYCLE_NOT_FOUND: "NOT_FOUND",
  INVALID_PARAMS: "BAD_REQUEST",
  INVALID_INPUT: "BAD_REQUEST",
  INVALID_CONFIG: "BAD_REQUEST",
  INVALID_DATA_FILE: "BAD_REQUEST",
  INVALID_TRANSITION: "PRECONDITION_FAILED",
  DEFINITION_INACTIVE: "PRECONDITION_FAILED",
  UNKNOWN_AGENT: "BAD_REQUEST",
  UNKNOWN_DECISION_AGENT: "BAD_REQUEST",
  UNKNOWN_CHANNEL: "BAD_REQUEST",
  VERSION_CONFLICT: "CONFLICT",
  DUPLICATE: "CONFLICT",
  FENCED: "CONFLICT",
  DATA_FOLDER_TAKEN: "CONFLICT",
  PRUNE_RUNNING: "CONFLICT",
  PORT_UNAVAILABLE: "BAD_GATEWAY",
  PORT_TIMEOUT: "GATEWAY_TIMEOUT",
  SNAPSHOT_INCOMPATIBLE: "PRECONDITION_FAILED",
  SCHEMA_MISMATCH: "PRECONDITION_FAILED",
  SHUTTING_DOWN: "SERVICE_UNAVAILABLE",
  INVARIANT: "INTERNAL_SERVER_ERROR",
};

/** What an error carries besides transport code and message. */
export interface PublicError {
  /** Null where the transport itself refused: unknown procedure, unreadable request. */
  domainCode: ErrorCode | "INTERNAL" | null;
  fieldErrors: readonly FieldError[];
  /** Names the request in the server's log. */
  requestId: string;
}

/** Travels as the cause of a tRPC error from where it was thrown to the error formatter. */
export class RequestFailure extends Error {
  override readonly name = "RequestFailure";
  readonly publicError: PublicError;

  constructor(publicError: PublicError, cause: unknown) {
    super(undefined, { cause });
    this.publicError = publicError;
  }
}

/** Any error as what a caller may know of it: a bug keeps its message to the log. */
export function toTransportError(error: unknown, requestId: string): TRPCError {
  const cause = error instanceof TRPCError ? error.cause : error;
  if (cause instanceof RequestFailure && error instanceof TRPCError) return error;
  if (cause instanceof DomainError && cause.code !== "INVARIANT") {
    const fieldErrors = firstFields(cause.fields);
    const failure = { domainCode: cause.code, fieldErrors, requestId };
    return failed(TRANSPORT_CODES[cause.code], cause.message, new RequestFailure(failure, cause));
  }
  if (!(error instanceof TRPCError) || error.code === "INTERNAL_SERVER_ERROR") {
    const failure = { domainCode: "INTERNAL", fieldErrors: [], requestId } as const;
    const message = `internal error; the server's log has it under request ${requestId}`;
    return failed("INTERNAL_SERVER_ERROR", message, new RequestFailure(failure, error));
  }
  if (cause instanceof z.core.$ZodError) {
    const fields = fieldErrorsOf(cause, "input");
    const fieldErrors = firstFields(fields);
    const failure = { domainCode: "INVALID_INPUT", fieldErrors, requestId } as const;
    return failed(error.code, fieldsInWords(fields), new RequestFailure(failure, cause));
  }
  const failure = { domainCode: null, fieldErrors: [], requestId };
  return failed(error.code, error.message, new RequestFailure(failure, error));
}

function failed(code: TRPC_ERROR_CODE_KEY, message: string, cause: RequestFailure): TRPCError {
  return new TRPCError({ code, message: shortened(message, MOST_MESSAGE), cause });
}
