import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";

/** The tools this version of the code has; synced from it at boot. */
const ToolRegistrySchema = defineEntity({
  name: "ToolRegistry",
  tableName: "tool_registry",
  properties: {
    id: randomId(),
    toolName: p.text().unique("uq_tool_name"),
    displayName: p.text(),
    description: p.text(),
    toolModule: p.text(),
    toolFunction: p.text(),
    requiredApis: p.json<string[]>().defaultRaw("'[]'"),
    isActive: p.boolean().default(true),
    ...timestamps(),
  },
});

export class ToolRegistry extends ToolRegistrySchema.class {}
ToolRegistrySchema.setClass(ToolRegistry);
