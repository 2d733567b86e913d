// The base every procedure is built on: its context, its errors, its request ids.
import { initTRPC } from "@trpc/server";
import { DomainError } from "#domain/errors.ts";
import type { EngineMonitor } from "#services/engine-monitor.ts";
import type { ChangeFeed } from "#services/change-feed.ts";
import type { Services } from "#services/services.ts";
import { RequestFailure, toTransportError } from "./errors.ts";

/** The part of the product's logger the API writes to. */
export interface ApiLogger {
  info(detail: object, message: string): void;
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
  /** Resolves when the client has taken what was sent to it: a slow one must not fill memory. */
  drained(): Promise<void>;
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
  const requestId = crypto.randomUUID();
  const result = await next({ ctx: { requestId } });
  if (result.ok) return result;
  const error = toTransportError(result.error, requestId);
  if (error.code === "INTERNAL_SERVER_ERROR") {
    ctx.logger.error(
      { requestId, path, error: result.error.cause ?? result.error },
      "request failed",
    );
  }
  return { ...result, error };
});

const whenReady = t.middleware(({ ctx, next }) => {
  const { phase } = ctx.monitor;
  if (phase === "running") return next();
  const message = `the engine is ${phase}; try again in a moment`;
  throw new DomainError("SHUTTING_DOWN", message);
});

/** Reads. */
export const query = t.procedure.use(identified);

/** Changes something: only while the engine runs. */
export const command = query.use(whenReady);

/** Refused before any procedure was found: no middleware has seen it. */
function unformatted(error: unknown) {
  const converted = toTransportError(error, crypto.randomUUID());
  const { cause } = converted;
  if (!(cause instanceof RequestFailure)) throw converted;
  return { error: converted, publicError: cause.publicError };
}
