import { insertBatch, recordset } from "./batch.ts";
import type { Database } from "./database.ts";

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

const agentColumns = {
  agent_name: "text",
  display_name: "text",
  description: "text",
  agent_module: "text",
  agent_class: "text",
  available_tools: "jsonb",
} as const;

const toolColumns = {
  tool_name: "text",
  display_name: "text",
  description: "text",
  tool_module: "text",
  tool_function: "text",
} as const;

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
    await sql.run(syncOf("agent_registry", "agent_name", agentColumns), [JSON.stringify(agents)]);
    await sql.run(retireOf("agent_registry", "agent_name", agentColumns), [JSON.stringify(agents)]);
    await sql.run(syncOf("tool_registry", "tool_name", toolColumns), [JSON.stringify(tools)]);
    await sql.run(retireOf("tool_registry", "tool_name", toolColumns), [JSON.stringify(tools)]);
  });
}

function syncOf(table: string, key: string, columns: Readonly<Record<string, string>>): string {
  const updates = Object.keys(columns)
    .filter((column) => column !== key)
    .map((column) => `${column} = excluded.${column}`);
  return `${insertBatch(table, columns)} on conflict (${key}) do update set
    ${updates.join(", ")}, is_active = true, updated_at = now()`;
}

function retireOf(table: string, key: string, columns: Readonly<Record<string, string>>): string {
  return `update ${table} set is_active = false, updated_at = now()
    where is_active and ${key} not in (select r.${key} from ${recordset(columns)})`;
}
