import { z } from "zod";
import { InvariantError } from "./errors.ts";

/** Plain JSON: the only shape a snapshot, a message or a jsonb column may have. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** What storing a value as JSON leaves of it: undefined fields are gone. */
export function throughJson(value: unknown): Json {
  return z.json().parse(JSON.parse(JSON.stringify(value)));
}

/** Freezes plain data all the way down: what thousands of strategies share, none can change. */
export function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

/**
 * The text under `field`, of `what`.
 * @throws InvariantError when there is none
 */
export function textOf(body: JsonObject, field: string, what: string): string {
  const value = body[field];
  if (typeof value === "string") return value;
  throw new InvariantError(`${what} has no ${field}`);
}
