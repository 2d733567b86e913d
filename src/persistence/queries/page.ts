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

const INSTANT = /^(\d{4}-\d\d-\d\d)[ T][0-2]\d:[0-5]\d:[0-5]\d(\.\d+)?([+-]\d\d(:\d\d)?)?$/;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const isText = (part: unknown): part is string => typeof part === "string";
const isCount = (part: unknown) =>
  typeof part === "number" && Number.isInteger(part) && part >= 0 && part < 2 ** 31;
const isId = (part: unknown) => isText(part) && ID.test(part);
const isDecimal = (part: unknown) => isText(part) && /^-?\d+(\.\d+)?$/.test(part);

/** What the two parts of each list's key are: another list's cursor has no meaning here. */
const KEYS = {
  "strategies.created": [isInstant, isId],
  "strategies.return": [isDecimal, isId],
  "strategies.name": [isText, isId],
  alerts: [isInstant, isId],
  ticks: [isInstant, isId],
  cycles: [isCount, isCount],
  trades: [isCount, isCount],
  instructions: [isCount, isCount],
} as const;

export type ListName = keyof typeof KEYS;

export function limitOf({ limit = DEFAULT_LIMIT }: PageRequest): number {
  return Math.min(Math.max(1, Math.trunc(limit)), MAX_LIMIT);
}

/** The key a page starts after, or null for the first page. @throws InvalidInputError INVALID_INPUT */
export function keyOf({ cursor }: PageRequest, list: ListName): Key | null {
  if (cursor === undefined) return null;
  const [of, ...key] = parseCursor(cursor) ?? [];
  const [isFirst, isSecond] = KEYS[list];
  if (of === list && key.length === 2 && isFirst(key[0]) && isSecond(key[1])) return key;
  const message = `expected a cursor of this list (${list}), as its page before gave it`;
  const fields = [{ field: "cursor", message }];
  throw new InvalidInputError("INVALID_INPUT", `cursor: ${message}`, { fields });
}

/** `rows` are one more than the limit where there is a next page. */
export function pageOf<T>(
  rows: readonly Row[],
  limit: number,
  { list, item, key }: { list: ListName; item: (row: Row) => T; key: (row: Row) => Key },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { items: shown.map(item), nextCursor: hasMore ? cursorOf([list, ...key(last)]) : null };
}

function cursorOf(key: Key): string {
  return Buffer.from(JSON.stringify(key)).toString("base64url");
}

function isInstant(part: unknown): boolean {
  const [, day = ""] = INSTANT.exec(isText(part) ? part : "") ?? [];
  const at = Date.parse(`${day}T00:00:00Z`);
  return Number.isFinite(at) && new Date(at).toISOString().startsWith(day);
}

function parseCursor(cursor: string): Key | null {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
