import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";

/** The business agents this version of the code has; synced from it at boot. */
const AgentRegistrySchema = defineEntity({
  name: "AgentRegistry",
  tableName: "agent_registry",
  properties: {
    id: randomId(),
    agentName: p.text().unique("uq_agent_name"),
    displayName: p.text(),
    description: p.text(),
    agentModule: p.text(),
    agentClass: p.text(),
    availableTools: p.json<string[]>().defaultRaw("'[]'"),
    isActive: p.boolean().default(true),
    ...timestamps(),
  },
});

export class AgentRegistry extends AgentRegistrySchema.class {}
AgentRegistrySchema.setClass(AgentRegistry);
