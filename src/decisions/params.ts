import { InvalidInputError, type FieldError } from "#domain/errors.ts";
import type { Json, JsonObject } from "#domain/json.ts";
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
  const fields = result.error.issues.flatMap(toFieldErrors);
  const summary = fields.map(({ field, message }) => `${field}: ${message}`).join("; ");
  throw new InvalidInputError("INVALID_PARAMS", `invalid params for ${agent.name}: ${summary}`, {
    cause: result.error,
    fields,
  });
}

function toFieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  const field = issue.path.join(".");
  if (issue.code !== "unrecognized_keys") {
    return [{ field: field === "" ? "params" : field, message: issue.message }];
  }
  return issue.keys.map((key) => ({
    field: field === "" ? key : `${field}.${key}`,
    message: "is not a param of this decision agent; remove it or correct its name",
  }));
}

function expected(what: string): (issue: { input?: unknown }) => string {
  return ({ input }) => `expected ${what}, was ${JSON.stringify(input) ?? "missing"}`;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
