import { DomainError } from "#domain/errors.ts";

/**
 * `work`, or PORT_TIMEOUT after `timeoutMs`. The work itself goes on: its outcome is then unknown,
 * so this belongs around calls whose transaction the caller rolls back, or which may be repeated.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  timeoutMs: number,
  what: string,
): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `expected the work queue to ${what} within ${timeoutMs} ms, still waiting`;
    reject(new DomainError("PORT_TIMEOUT", message));
  }, timeoutMs);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
    // Whoever lost the race must not become an unhandled rejection.
    work.catch(() => {});
  }
}
