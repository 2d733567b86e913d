import { InvalidInputError } from "#domain/errors.ts";
import { fieldErrorsOf, fieldsInWords } from "#domain/field-errors.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import { quoted } from "#domain/quote.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { z } from "zod";

/** A number param with its range, both ends allowed. */
export function numberParam(low: number, high: number): z.ZodNumber {
  const error = expected(`a number from ${low} to ${high}`);
  return z.number({ error }).min(low, { error }).max(high, { error });
}

/** A whole-number param with its range, both ends allowed. */
export function integerParam(low: number, high: number): z.ZodNumber {
  const error = expected(`a whole number from ${low} to ${high}`);
  return z.number({ error }).int({ error }).min(low, { error }).max(high, { error });
}

/** Whether the values add up to 1 ± 0.01. */
export function sumsToOne(values: readonly number[]): boolean {
  // A hundredth off is still meant as 1; the rest is the noise of adding doubles.
  return Math.abs(values.reduce((sum, value) => sum + value, 0) - 1) <= 0.01 + 1e-9;
}

/** `base` with `override` on top: objects merge by key, everything else is replaced. */
export function mergeParams(base: JsonObject, override: JsonObject): JsonObject {
  const merged: JsonObject = { ...base };
  for (const [key, value] of Object.entries(override)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? mergeParams(below, value) : value;
  }
  return merged;
}

/** Validates and completes params; throws INVALID_PARAMS that names every field and its remedy. */
export function parseWith<Params>(agent: DecisionAgent<Params>, params: JsonObject): Params {
  const result = agent.paramsSchema.safeParse(params);
  if (result.success) return result.data;
  const fields = fieldErrorsOf(result.error, "params");
  const message = `invalid params for ${agent.name}: ${fieldsInWords(fields)}`;
  throw new InvalidInputError("INVALID_PARAMS", message, { cause: result.error, fields });
}

function expected(what: string): (issue: { input?: unknown }) => string {
  return ({ input }) => `expected ${what}, was ${quoted(input)}`;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
