import { AgentRegistry } from "#entities/agent-registry.entity.ts";
import { now } from "#entities/columns.ts";
import { ToolRegistry } from "#entities/tool-registry.entity.ts";
import type { Database } from "#persistence/database.ts";

/** What administrators see of the code: its business agents and the tools they call. */
export interface Registries {
  agents: readonly {
    name: string;
    displayName: string;
    description: string;
    tools: readonly string[];
  }[];
  tools: readonly { name: string; displayName: string; description: string }[];
}

/** Brings the registry tables up to the code, by name; what the code no longer has goes inactive. */
export function syncRegistries(database: Database, registries: Registries): Promise<void> {
  // Module and class hold the registered name, as in definitions: nothing is loaded by path.
  const agents = registries.agents.map(({ name, displayName, description, tools }) => ({
    agentName: name,
    displayName,
    description,
    agentModule: name,
    agentClass: name,
    availableTools: [...tools],
  }));
  const tools = registries.tools.map(({ name, displayName, description }) => ({
    toolName: name,
    displayName,
    description,
    toolModule: name,
    toolFunction: name,
  }));
  return database.transactional(async ({ em }) => {
    await em.upsertMany(AgentRegistry, agents, { onConflictFields: ["agentName"] });
    const agentName = { $in: agents.map((agent) => agent.agentName) };
    await em.nativeUpdate(AgentRegistry, { agentName }, inUse(true));
    await em.nativeUpdate(AgentRegistry, { $not: { agentName }, isActive: true }, inUse(false));
    await em.upsertMany(ToolRegistry, tools, { onConflictFields: ["toolName"] });
    const toolName = { $in: tools.map((tool) => tool.toolName) };
    await em.nativeUpdate(ToolRegistry, { toolName }, inUse(true));
    await em.nativeUpdate(ToolRegistry, { $not: { toolName }, isActive: true }, inUse(false));
  });
}

// Apart from the upsert, which takes no expressions.
const inUse = (isActive: boolean) => ({ isActive, updatedAt: now() });
