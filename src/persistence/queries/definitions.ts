import type { SqlEntityManager } from "@mikro-orm/postgresql";
import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import type { GroupState } from "#domain/tick.ts";
import { isUuid } from "#domain/ids.ts";
import { DefinitionVersion } from "#entities/definition-version.entity.ts";
import { StrategyDefinition } from "#entities/strategy-definition.entity.ts";
import { Strategy } from "#entities/strategy.entity.ts";
import { Tick } from "#entities/tick.entity.ts";
import type { Database } from "#persistence/database.ts";
import {
  definitionColumns,
  definitionOf,
  definitionOfEntity,
} from "#persistence/repositories/definition-row.ts";
import { ms, number, numberOrNull, textOrNull } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";

export interface DefinitionRecord extends Definition {
  /** Strategies not archived, and those of them that are wanted to run. */
  strategies: number;
  running: number;
  /** Newest tick of any status, ms UTC. */
  lastTickFor: number | null;
  /** What its group does, on whatever node. */
  state: GroupState;
  /** When an admin paused it, ms UTC; a tick under way ends first. */
  pausedAt: number | null;
  /** Ticks that came while one was under way, as far back as history is kept. */
  skippedTicks: number;
}

// Two counts, each from an index of its own: one with a filter would read every row.
const select = `
  select ${definitionColumns}, n.strategies, m.running, ${ms("l.scheduled_for")} as last_tick_for,
    ${ms("d.paused_at")} as paused_at, o.status as open_status, k.skipped
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
  ) l on true
  left join ticks o on o.definition_id = d.id and o.status in ('pending', 'running')
  left join lateral (
    select count(*)::int as skipped from ticks t
    where t.definition_id = d.id and t.status = 'skipped'
  ) k on true`;

export const statements = { list: `${select} order by d.name` };

/** All definitions by name; there are few. */
export async function listDefinitions({ sql }: Database): Promise<DefinitionRecord[]> {
  return (await sql.rows(statements.list)).map(recordOf);
}

/** By id or by name. @throws NotFoundError DEFINITION_NOT_FOUND */
export async function getDefinition(
  database: Database,
  idOrName: string,
): Promise<DefinitionRecord> {
  const found = await database.read(async (em) => {
    const byName = { name: idOrName };
    const where = isUuid(idOrName) ? { $or: [{ id: idOrName }, byName] } : byName;
    const definition = await em.findOne(StrategyDefinition, where);
    return definition === null ? null : withCounts(em, definition);
  });
  if (found !== null) return found;
  throw new NotFoundError("DEFINITION_NOT_FOUND", `no definition ${idOrName}`);
}

/** As it was at that version; null when that is not stored. */
export async function getDefinitionVersion(
  database: Database,
  definitionId: string,
  version: number,
): Promise<Definition | null> {
  const stored = await database.read((em) =>
    em.findOne(DefinitionVersion, { definition: definitionId, version }),
  );
  return stored?.content ?? null;
}

async function withCounts(
  em: SqlEntityManager,
  definition: StrategyDefinition,
): Promise<DefinitionRecord> {
  const listed = { strategyDefinition: definition, archivedAt: null };
  const newest = { orderBy: { scheduledFor: "desc" }, fields: ["scheduledFor"] } as const;
  const tick = await em.findOne(Tick, { definition }, newest);
  const open = await em.findOne(Tick, { definition, status: { $in: ["pending", "running"] } });
  const pausedAt = definition.pausedAt?.getTime() ?? null;
  return {
    ...definitionOfEntity(definition),
    strategies: await em.count(Strategy, listed),
    running: await em.count(Strategy, { ...listed, desiredStatus: "running" }),
    lastTickFor: tick?.scheduledFor.getTime() ?? null,
    state: stateOf(open?.status ?? null, pausedAt),
    pausedAt,
    skippedTicks: await em.count(Tick, { definition, status: "skipped" }),
  };
}

// At most one tick of a definition is open, and its status says how far its group has come.
function stateOf(openStatus: string | null, pausedAt: number | null): GroupState {
  if (openStatus !== null) return openStatus === "pending" ? "analysing" : "fanningOut";
  return pausedAt === null ? "idle" : "paused";
}

function recordOf(row: Row): DefinitionRecord {
  return {
    ...definitionOf(row),
    strategies: number(row, "strategies"),
    running: number(row, "running"),
    lastTickFor: numberOrNull(row, "last_tick_for"),
    state: stateOf(textOrNull(row, "open_status"), numberOrNull(row, "paused_at")),
    pausedAt: numberOrNull(row, "paused_at"),
    skippedTicks: number(row, "skipped"),
  };
}
