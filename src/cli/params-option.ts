// Params as they are given on a command line, and what its help says of them.
import { z } from "zod";
import { builtInDecisionAgents } from "#decisions/registry.ts";
import { DomainError } from "#domain/errors.ts";
import { paramHelp, type ParamHelp } from "#domain/param-help.ts";
import { quoted } from "#domain/quote.ts";
import type { Column } from "./grid.ts";

export interface ParamsOptions {
  param?: string[];
  params?: string;
}

const paramsSchema = z.record(z.string(), z.json());
type Params = z.infer<typeof paramsSchema>;

/**
 * What `--param` or `--params` say; null where there is neither.
 * @throws DomainError INVALID_INPUT, also for both: neither may silently win
 */
export function paramsOf({ param, params }: ParamsOptions): Params | null {
  if (param !== undefined && params !== undefined) {
    throw new DomainError("INVALID_INPUT", "expected --param or --params, was both");
  }
  if (param !== undefined) return Object.fromEntries(param.map(pairOf));
  if (params === undefined) return null;
  const given = paramsSchema.safeParse(jsonOr(params, null));
  if (given.success) return given.data;
  const message = `--params: expected a JSON object, was ${quoted(params)}`;
  throw new DomainError("INVALID_INPUT", message);
}

function pairOf(pair: string): [string, Params[string]] {
  const split = pair.indexOf("=");
  if (split > 0) {
    const value = pair.slice(split + 1);
    return [pair.slice(0, split), jsonOr(value, value)];
  }
  throw new DomainError("INVALID_INPUT", `--param: expected key=value, was ${quoted(pair)}`);
}

/** Numbers, booleans, lists and objects as they are; what is no JSON is the text itself. */
function jsonOr<Otherwise extends string | null>(text: string, otherwise: Otherwise) {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    return otherwise;
  }
}

export const paramColumns: readonly Column<ParamHelp>[] = [
  { head: "PARAM", cell: ({ name }) => name },
  { head: "DEFAULT", cell: (param) => JSON.stringify(param.default), align: "right" },
  { head: "ALLOWED", cell: allowed },
  { head: "", cell: ({ description }) => description, elastic: true },
];

function allowed({ maximum, minimum, type }: ParamHelp): string {
  const kind = type === "integer" ? "whole number" : type;
  const bounds = [
    ...(minimum === null ? [] : [`from ${minimum}`]),
    ...(maximum === null ? [] : [`to ${maximum}`]),
  ];
  return [kind, ...bounds].join(" ");
}

/** For the help of commands that take params: those of the decision agents that come with the product. */
export function paramsHelpText(): string {
  const agents = builtInDecisionAgents.map(({ name, paramsSchema: schema }) => {
    const lines = paramHelp(schema).map((param) => {
      const { default: value, description } = param;
      const facts = `${JSON.stringify(value)}, ${allowed(param)}`;
      return `  ${param.name.padEnd(30)} ${facts.padEnd(30)} ${description}`;
    });
    return [`\nParams of ${name} (default, allowed values):`, ...lines].join("\n");
  });
  const hint = "\nA template has defaults of its own: npm run troupe -- definitions show <name>";
  return [...agents, hint].join("\n");
}
