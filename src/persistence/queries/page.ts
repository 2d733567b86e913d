import { InvalidInputError } from "#domain/errors.ts";
import type { Row } from "#persistence/sql.ts";

export interface PageRequest {
  /** Where the last page ended; opaque. */
  cursor?: string;
  /** 1..200, 50 unless told. */
  limit?: number;
}

export interface Page<T> {
  items: T[];
  /** Null on the last page. */
  nextCursor: string | null;
}

const MAX_LIMIT = 200;
const DEFAULT_LIMIT = 50;

type Key = readonly (string | number)[];

export function limitOf({ limit = DEFAULT_LIMIT }: PageRequest): number {
  return Math.min(Math.max(1, Math.trunc(limit)), MAX_LIMIT);
}

/** The key a page starts after, or null for the first page. @throws InvalidInputError INVALID_INPUT */
export function keyOf({ cursor }: PageRequest, shape: "text" | "numbers"): Key | null {
  if (cursor === undefined) return null;
  const key = parseCursor(cursor);
  const isOfShape = (part: unknown): boolean =>
    shape === "text" ? typeof part === "string" : Number.isSafeInteger(part);
  if (key?.length === 2 && key.every(isOfShape)) return key;
  const fields = [{ field: "cursor", message: "is not one of ours" }];
  throw new InvalidInputError("INVALID_INPUT", "expected a cursor of this list", { fields });
}

/** `rows` are one more than the limit where there is a next page. */
export function pageOf<T>(
  rows: readonly Row[],
  limit: number,
  { item, key }: { item: (row: Row) => T; key: (row: Row) => Key },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { items: shown.map(item), nextCursor: hasMore ? cursorOf(key(last)) : null };
}

function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function parseCursor(cursor: string): Key | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
