import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import type { Database } from "#persistence/database.ts";
import { definitionColumns, definitionOf } from "#persistence/repositories/definition-row.ts";
import { json, ms, number, numberOrNull } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";

export interface DefinitionRecord extends Definition {
  /** Strategies not archived, and those of them that are wanted to run. */
  strategies: number;
  running: number;
  /** Newest tick, ms UTC. */
  lastTickFor: number | null;
}

// Two counts, each from an index of its own: one with a filter would read every row.
const select = `
  select ${definitionColumns}, n.strategies, m.running, ${ms("l.scheduled_for")} as last_tick_for
  from strategy_definitions d
  left join lateral (
    select count(*)::int as strategies
    from strategies s where s.strategy_definition_id = d.id and s.archived_at is null
  ) n on true
  left join lateral (
    select count(*)::int as running from strategies s
    where s.strategy_definition_id = d.id and s.desired_status = 'running' and s.archived_at is null
  ) m on true
  left join lateral (
    select t.scheduled_for from ticks t where t.definition_id = d.id
    order by t.scheduled_for desc limit 1
  ) l on true`;

/** All definitions by name; there are few. */
export async function listDefinitions({ sql }: Database): Promise<DefinitionRecord[]> {
  return (await sql.rows(`${select} order by d.name`)).map(recordOf);
}

/** By id or by name. @throws NotFoundError DEFINITION_NOT_FOUND */
export async function getDefinition(
  { sql }: Database,
  idOrName: string,
): Promise<DefinitionRecord> {
  const [row] = await sql.rows(`${select} where d.id::text = $1 or d.name = $1`, [idOrName]);
  if (row !== undefined) return recordOf(row);
  throw new NotFoundError("DEFINITION_NOT_FOUND", `no definition ${idOrName}`);
}

/** As it was at that version; null when that is not stored. */
export async function getDefinitionVersion(
  { sql }: Database,
  definitionId: string,
  version: number,
): Promise<Definition | null> {
  const [row] = await sql.rows(
    "select content from definition_versions where definition_id = $1 and version = $2",
    [definitionId, version],
  );
  return row === undefined ? null : json(row, "content");
}

function recordOf(row: Row): DefinitionRecord {
  return {
    ...definitionOf(row),
    strategies: number(row, "strategies"),
    running: number(row, "running"),
    lastTickFor: numberOrNull(row, "last_tick_for"),
  };
}
