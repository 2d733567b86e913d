import { z } from "zod";
import { throughJson, type Json, type JsonObject } from "./json.ts";

/** One param as whoever sets it needs to know it. */
export interface ParamHelp {
  /** Dotted path, e.g. `agent_weights.macro`. */
  name: string;
  description: string;
  /** `number`, `integer`, `string`, … */
  type: string;
  /** The template's, or else the decision agent's; null when there is none. */
  default: Json;
  minimum: number | null;
  maximum: number | null;
}

/** The params a decision agent takes, as its own schema says, with a template's defaults over its own. */
export function paramHelp(schema: z.ZodType, defaults: JsonObject = {}): ParamHelp[] {
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return propertiesOf(throughJson(described), defaults, "");
}

function propertiesOf(schema: Json, defaults: Json, above: string): ParamHelp[] {
  const properties = Object.entries(objectOf(objectOf(schema)["properties"]));
  return properties.flatMap(([key, property]) => {
    const name = above === "" ? key : `${above}.${key}`;
    const value = objectOf(defaults)[key];
    if (Object.hasOwn(objectOf(property), "properties")) {
      const { description } = helpOf(name, objectOf(property), null);
      const below = propertiesOf(property, value ?? {}, name);
      return below.map((help) => ({ ...help, description: help.description || description }));
    }
    return [helpOf(name, objectOf(property), value)];
  });
}

function helpOf(name: string, property: JsonObject, value: Json | undefined): ParamHelp {
  const { description, maximum, minimum, type } = property;
  return {
    name,
    description: typeof description === "string" ? description : "",
    type: typeof type === "string" ? type : "any",
    default: value ?? property["default"] ?? null,
    minimum: typeof minimum === "number" ? minimum : null,
    maximum: typeof maximum === "number" ? maximum : null,
  };
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
