import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import { definitionIdOf } from "#domain/ids.ts";
import { audit } from "./audit.ts";
import type { Database } from "#persistence/database.ts";
import { definitionColumns, definitionOf } from "./definition-row.ts";
import type { SqlTransaction } from "#persistence/sql.ts";

/** What code or an admin says about a definition; id and version are the store's business. */
export type DefinitionContent = Omit<Definition, "id" | "version">;

const selectByName = `
  select ${definitionColumns} from strategy_definitions d where d.name = $1 for no key update`;

const upsert = `
  insert into strategy_definitions (
    id, name, display_name, description, philosophy, decision_agent_module, decision_agent_class,
    business_agents, trade_channel, trade_symbols, rebalance_period_minutes, default_params,
    catch_up, is_active, version)
  values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  on conflict (name) do update set
    display_name = excluded.display_name, description = excluded.description,
    philosophy = excluded.philosophy, decision_agent_module = excluded.decision_agent_module,
    decision_agent_class = excluded.decision_agent_class,
    business_agents = excluded.business_agents, trade_channel = excluded.trade_channel,
    trade_symbols = excluded.trade_symbols,
    rebalance_period_minutes = excluded.rebalance_period_minutes,
    default_params = excluded.default_params, catch_up = excluded.catch_up,
    version = excluded.version, updated_at = now()`;

/**
 * Makes the stored definition of that name say this. A change is a new version, kept for ever in the
 * history; no change writes nothing. Whether it is active is the admin's: an existing one keeps it.
 */
export function upsertDefinition(
  database: Database,
  content: DefinitionContent,
  actor = "code",
): Promise<Definition> {
  return database.transactional(async (sql) => {
    const [row] = await sql.rows(selectByName, [content.name]);
    const stored = row === undefined ? null : definitionOf(row);
    const wanted: Definition = {
      ...content,
      id: stored?.id ?? definitionIdOf(content.name),
      isActive: stored?.isActive ?? content.isActive,
      version: (stored?.version ?? 0) + 1,
    };
    if (stored !== null && isSame(stored, wanted)) return stored;
    await write(sql, wanted);
    await audit(sql, [
      {
        actor,
        action: stored === null ? "definition.create" : "definition.update",
        subjectType: "definition",
        subjectId: wanted.id,
        detail: { name: wanted.name, version: wanted.version },
      },
    ]);
    return wanted;
  });
}

/** Lets a definition tick and take new strategies, or not. @throws NotFoundError DEFINITION_NOT_FOUND */
export function setDefinitionActive(
  database: Database,
  request: { definitionId: string; isActive: boolean; actor: string },
): Promise<void> {
  return database.transactional(async (sql) => {
    const { definitionId, isActive, actor } = request;
    const changed = await sql.run(
      "update strategy_definitions set is_active = $2, updated_at = now() where id = $1",
      [definitionId, isActive],
    );
    if (changed === 0) {
      throw new NotFoundError("DEFINITION_NOT_FOUND", `no definition ${definitionId}`);
    }
    await audit(sql, [
      {
        actor,
        action: isActive ? "definition.activate" : "definition.deactivate",
        subjectType: "definition",
        subjectId: definitionId,
      },
    ]);
  });
}

async function write(sql: SqlTransaction, definition: Definition): Promise<void> {
  await sql.run(upsert, [
    definition.id,
    definition.name,
    definition.displayName,
    definition.description,
    definition.philosophy,
    definition.decisionAgent,
    JSON.stringify(definition.agents),
    definition.tradeChannel,
    JSON.stringify(definition.symbols),
    definition.periodMinutes,
    JSON.stringify(definition.defaultParams),
    definition.catchUp,
    definition.isActive,
    definition.version,
  ]);
  // Two nodes that start with the same new code write the same version: the second changes nothing.
  await sql.run(
    `insert into definition_versions (definition_id, version, content) values ($1, $2, $3)
     on conflict do nothing`,
    [definition.id, definition.version, JSON.stringify(definition)],
  );
}

function isSame(stored: Definition, wanted: Definition): boolean {
  return canonical(stored) === canonical({ ...wanted, version: stored.version });
}

/** Key order does not matter: jsonb does not keep it. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
