/** How many causes behind an error are told. */
const DEEPEST = 5;

export interface ErrorDetail {
  name: string;
  message: string;
  stack: string | null;
  cause: ErrorDetail | null;
}

/**
 * An unknown thrown value as plain data for the log: an `Error` itself has nothing that JSON would
 * show. What is no error is told by its JSON, for `[object Object]` says nothing.
 */
export function errorDetail(error: unknown, depth = 0): ErrorDetail {
  if (!(error instanceof Error)) {
    return { name: typeof error, message: textOf(error), stack: null, cause: null };
  }
  const { cause, name, message, stack = null } = error;
  const below = cause === undefined || depth === DEEPEST ? null : errorDetail(cause, depth + 1);
  return { name, message, stack, cause: below };
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
