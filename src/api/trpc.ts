// The base every procedure is built on: its context, its errors, its request ids.
import { initTRPC } from "@trpc/server";
import { errorDetail } from "#domain/error-detail.ts";
import { DomainError, InvalidInputError } from "#domain/errors.ts";
import { fieldsInWords } from "#domain/field-errors.ts";
import { inputProblems } from "#domain/input-limits.ts";
import { quoted } from "#domain/quote.ts";
import type { EngineMonitor } from "#services/engine-monitor.ts";
import type { ChangeFeed } from "#services/change-feed.ts";
import type { Services } from "#services/services.ts";
import type { Connection } from "./connection.ts";
import { RequestFailure, toTransportError } from "./errors.ts";

/** The part of the product's logger the API writes to. */
export interface ApiLogger {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}

/** What procedures work with, the same for every request. */
export interface ApiDependencies {
  services: Services;
  monitor: EngineMonitor;
  changes: ChangeFeed;
  logger: ApiLogger;
}

export interface Context extends ApiDependencies {
  connection: Connection;
}

const t = initTRPC.context<Context>().create({
  isDev: false,
  errorFormatter: ({ shape, error }) => {
    const { cause } = error;
    const known =
      cause instanceof RequestFailure
        ? { error, publicError: cause.publicError }
        : unformatted(error);
    return {
      code: shape.code,
      message: known.error.message,
      data: {
        code: shape.data.code,
        httpStatus: shape.data.httpStatus,
        path: shape.data.path ?? null,
        ...known.publicError,
      },
    };
  },
});

export const { router } = t;

/** Errors become public ones with a request id; those that are bugs are logged. */
const identified = t.middleware(async ({ ctx, next, path }) => {
  using _call = ctx.connection.call();
  const requestId = crypto.randomUUID();
  const result = await next({ ctx: { requestId } });
  if (result.ok) return result;
  const error = toTransportError(result.error, requestId);
  if (error.code === "INTERNAL_SERVER_ERROR") {
    const cause = errorDetail(result.error.cause ?? result.error);
    ctx.logger.error({ requestId, path, error: cause }, `request failed: ${cause.message}`);
  }
  return { ...result, error };
});

/** Whatever a procedure takes: nothing in it that cannot be stored, and not too much of it. */
const sound = t.middleware(async ({ getRawInput, next }) => {
  const fields = inputProblems(await getRawInput());
  if (fields.length === 0) return next();
  throw new InvalidInputError("INVALID_INPUT", fieldsInWords(fields), { fields });
});

const whenReady = t.middleware(({ ctx, next }) => {
  const { phase } = ctx.monitor;
  if (phase === "running") return next();
  const message = `the engine is ${phase}; try again in a moment`;
  throw new DomainError("SHUTTING_DOWN", message);
});

/** Who looks a week later sees what was asked for and what became of it. */
const recorded = t.middleware(async ({ ctx, getRawInput, next, path }) => {
  const subject = subjectOf(await getRawInput());
  const result = await next();
  const refusal = result.ok ? {} : { refused: result.error.message };
  ctx.logger.info({ command: path, ...subject, ...refusal }, `command ${path}`);
  return result;
});

/** Reads. */
export const query = t.procedure.use(identified).use(sound);

/** Changes something: only while the engine runs. */
export const command = query.use(recorded).use(whenReady);

/** What a command is about, by the names that inputs use; the rest stays out of the log. */
function subjectOf(input: unknown): Record<string, string> {
  if (typeof input !== "object" || input === null) return {};
  const named = Object.entries(input).filter(([name]) => SUBJECTS.has(name));
  return Object.fromEntries(named.map(([name, value]) => [name, quoted(value)]));
}

const SUBJECTS: ReadonlySet<string> = new Set(["strategyId", "definition", "commandId", "name"]);

/** Refused before any procedure was found: no middleware has seen it. */
function unformatted(error: unknown) {
  const converted = toTransportError(error, crypto.randomUUID());
  const { cause } = converted;
  if (!(cause instanceof RequestFailure)) throw converted;
  return { error: converted, publicError: cause.publicError };
}
