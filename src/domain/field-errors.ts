// Which inputs are wrong, as a caller is told: few enough to read, however many there are.
import type { z } from "zod";
import type { FieldError } from "./errors.ts";
import { escaped, grouped, shortened } from "./quote.ts";

/** Fields that are named one by one. */
const NAMED = 10;
/** Of a field's path, which may be a caller's own key. */
const PATH = 120;
const MESSAGE = 500;

/** Every wrong field of a failed parse; `whole` names the input itself. */
export function fieldErrorsOf(error: z.core.$ZodError, whole: string): FieldError[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String).join(".");
    if (issue.code !== "unrecognized_keys") {
      return [{ field: path === "" ? whole : path, message: issue.message }];
    }
    return issue.keys.map((key) => ({
      field: path === "" ? key : `${path}.${key}`,
      message: "is not known here; remove it or correct its name",
    }));
  });
}

/** The first few, and how many more there are. */
export function firstFields(fields: readonly FieldError[]): FieldError[] {
  const named = fields.slice(0, NAMED).map(({ field, message }) => ({
    field: shortened(escaped(field), PATH),
    message: shortened(message, MESSAGE),
  }));
  const more = fields.length - named.length;
  return more > 0 ? [...named, { field: "…", message: `and ${grouped(more)} more` }] : named;
}

/** One line: `a: expected …; b: expected …; and 14 990 more`. */
export function fieldsInWords(fields: readonly FieldError[]): string {
  return firstFields(fields)
    .map(({ field, message }) => (field === "…" ? message : `${field}: ${message}`))
    .join("; ");
}
