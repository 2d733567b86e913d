import { type Batch, batchOf, type Columns } from "#persistence/hot/batch.ts";
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

const agentBatch = batchOf({
  agent_name: "text",
  display_name: "text",
  description: "text",
  agent_module: "text",
  agent_class: "text",
  available_tools: "jsonb",
});

const toolBatch = batchOf({
  tool_name: "text",
  display_name: "text",
  description: "text",
  tool_module: "text",
  tool_function: "text",
});

/** Brings the registry tables up to the code, by name; what the code no longer has goes inactive. */
export function syncRegistries(database: Database, registries: Registries): Promise<void> {
  // Module and class hold the registered name, as in definitions: nothing is loaded by path.
  const agents = registries.agents.map(({ name, displayName, description, tools }) => ({
    agent_name: name,
    display_name: displayName,
    description,
    agent_module: name,
    agent_class: name,
    available_tools: tools,
  }));
  const tools = registries.tools.map(({ name, displayName, description }) => ({
    tool_name: name,
    display_name: displayName,
    description,
    tool_module: name,
    tool_function: name,
  }));
  return database.transactional(async (sql) => {
    const ofAgents = { table: "agent_registry", key: "agent_name" };
    await sql.run(syncOf(ofAgents, agentBatch), agentBatch.params(agents));
    await sql.run(retireOf(ofAgents), [agents.map(({ agent_name }) => agent_name)]);
    const ofTools = { table: "tool_registry", key: "tool_name" };
    await sql.run(syncOf(ofTools, toolBatch), toolBatch.params(tools));
    await sql.run(retireOf(ofTools), [tools.map(({ tool_name }) => tool_name)]);
  });
}

interface Registry {
  table: string;
  key: string;
}

function syncOf<C extends Columns>({ table, key }: Registry, batch: Batch<C>): string {
  const updates = batch.names
    .filter((column) => column !== key)
    .map((column) => `${column} = excluded.${column}`);
  return `${batch.insertInto(table)} on conflict (${key}) do update set
    ${updates.join(", ")}, is_active = true, updated_at = now()`;
}

function retireOf({ table, key }: Registry): string {
  return `update ${table} set is_active = false, updated_at = now()
    where is_active and ${key} <> all($1::text[])`;
}
