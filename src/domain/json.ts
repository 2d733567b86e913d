import { z } from "zod";

/** Plain JSON: the only shape a snapshot, a message or a jsonb column may have. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** What storing a value as JSON leaves of it: undefined fields are gone. */
export function throughJson(value: unknown): Json {
  return z.json().parse(JSON.parse(JSON.stringify(value)));
}
