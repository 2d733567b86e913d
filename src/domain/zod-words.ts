// What a failed parse says where a schema has no words of its own.
import { z } from "zod";
import { grouped, quoted } from "./quote.ts";

type Issue = z.core.$ZodRawIssue;

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

const FORMATS: Readonly<Record<string, string>> = {
  uuid: "an id (a UUID)",
  url: "a URL",
  safeint: "a whole number",
};

const UNITS: Readonly<Record<string, string>> = {
  string: " characters",
  array: " entries",
  record: " entries",
};

// For the whole process: a schema without words of its own must not speak in zod's.
z.config({ customError: wordsOf });

export { z };

function wordsOf(issue: Issue): string {
  return `expected ${expectationOf(issue)}, was ${quoted(issue.input)}`;
}

function expectationOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? issue.expected;
    case "too_big":
      return boundOf(issue.origin, "at most", issue.maximum);
    case "too_small":
      return boundOf(issue.origin, "at least", issue.minimum);
    case "invalid_format":
      return FORMATS[issue.format] ?? `a text of the form ${issue.format}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_value":
      return `one of ${issue.values.map(String).join(", ")}`;
    case "unrecognized_keys":
      return "known names only";
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
    case "custom":
      return "another value";
  }
}

function boundOf(origin: string, relation: string, bound: number | bigint): string {
  const unit = UNITS[origin];
  const limit = `${relation} ${grouped(Number(bound))}${unit ?? ""}`;
  return unit === undefined ? `a number of ${limit}` : limit;
}
