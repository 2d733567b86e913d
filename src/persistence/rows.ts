import { InvariantError } from "#domain/errors.ts";
import type { Row } from "./sql.ts";

// Both drivers agree on text, boolean, float8 and jsonb. They differ on int8 (text or number) and
// timestamps, so instants are selected as milliseconds and decimals as text.

/** SQL for an instant as ms UTC. */
export const ms = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8`;

/** SQL for a decimal as plain text without trailing zeros. */
export const plain = (column: string): string => `trim_scale(${column})::text`;

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw unexpected(column, "text", value);
}

export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

/** A number, also where a driver sends int8 as text. */
export function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === "number") return value;
  if ((typeof value === "string" && value !== "") || typeof value === "bigint") {
    const parsed = Number(value);
    if (!Number.isNaN(parsed)) return parsed;
  }
  throw unexpected(column, "a number", value);
}

export function numberOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : number(row, column);
}

export function flag(row: Row, column: string): boolean {
  const value = row[column];
  if (typeof value === "boolean") return value;
  throw unexpected(column, "a boolean", value);
}

/** A jsonb column of a shape that only this program writes. */
export function json<T>(row: Row, column: string): T {
  const value = row[column];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names what it wrote
  if (value !== null && value !== undefined) return value as T;
  throw unexpected(column, "json", value);
}

export function jsonOrNull<T>(row: Row, column: string): T | null {
  return row[column] === null ? null : json<T>(row, column);
}

/** A text column whose values a CHECK constraint limits to those of `T`. */
export function oneOf<T extends string>(row: Row, column: string): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the constraint checked it
  return text(row, column) as T;
}

export function oneOfOrNull<T extends string>(row: Row, column: string): T | null {
  return row[column] === null ? null : oneOf<T>(row, column);
}

function unexpected(column: string, expected: string, value: unknown): InvariantError {
  return new InvariantError(`expected ${expected} in column ${column}, was ${typeof value}`);
}
