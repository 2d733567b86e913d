import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import { definitionIdOf } from "#domain/ids.ts";
import { now } from "#entities/columns.ts";
import { DefinitionVersion } from "#entities/definition-version.entity.ts";
import { StrategyDefinition } from "#entities/strategy-definition.entity.ts";
import type { Database, OpenTransaction } from "#persistence/database.ts";
import { byIndexOnly } from "#persistence/sql.ts";
import { audit } from "./audit.repository.ts";
import { columnsOf, definitionOfEntity } from "./definition-row.ts";
import type { ControlOutcome } from "./strategy-controls.repository.ts";

/** What code or an admin says about a definition; id and version are the store's business. */
export type DefinitionContent = Omit<Definition, "id" | "version">;

// The lock the ORM has no name for: unlike its own, it lets others insert what refers to the
// definition, such as ticks.
export const statements = {
  lockDefinition: `
    select id, ${byIndexOnly} from strategy_definitions where id = $1 for no key update`,
  lockDefinitionByName: "select id from strategy_definitions where name = $1 for no key update",
};

/**
 * Makes the stored definition of that name say this. A change is a new version, kept for ever in the
 * history; no change writes nothing. Whether it is active is the admin's: an existing one keeps it.
 */
export function upsertDefinition(
  database: Database,
  content: DefinitionContent,
  actor = "code",
): Promise<Definition> {
  return database.transactional(async (transaction) => {
    await transaction.rows(statements.lockDefinitionByName, [content.name]);
    const entity = await transaction.em.findOne(StrategyDefinition, { name: content.name });
    const stored = entity === null ? null : definitionOfEntity(entity);
    const wanted: Definition = {
      ...content,
      id: stored?.id ?? definitionIdOf(content.name),
      isActive: stored?.isActive ?? content.isActive,
      version: (stored?.version ?? 0) + 1,
    };
    if (stored !== null && isSame(stored, wanted)) return stored;
    await write(transaction, wanted);
    audit(transaction, {
      actor,
      action: stored === null ? "definition.create" : "definition.update",
      subjectType: "definition",
      subjectId: wanted.id,
      detail: { name: wanted.name, version: wanted.version },
    });
    return wanted;
  });
}

/**
 * Lets a definition tick and take new strategies, or not.
 * @throws NotFoundError DEFINITION_NOT_FOUND
 * @public for the administration of templates
 */
export function setDefinitionActive(
  database: Database,
  request: { definitionId: string; isActive: boolean; actor: string },
): Promise<void> {
  return database.transactional(async (transaction) => {
    const { definitionId, isActive, actor } = request;
    const entity = await transaction.em.findOne(StrategyDefinition, definitionId);
    if (entity === null) throw unknownDefinition(definitionId);
    entity.isActive = isActive;
    audit(transaction, {
      actor,
      action: isActive ? "definition.activate" : "definition.deactivate",
      subjectType: "definition",
      subjectId: definitionId,
    });
  });
}

export interface PauseRequest {
  definitionId: string;
  paused: boolean;
  actor: string;
}

/**
 * Has a definition propose no more ticks, or go on. Durable once it returns, and no tick is proposed
 * after a pause, by any node; one under way ends.
 * @throws NotFoundError DEFINITION_NOT_FOUND
 */
export function setDefinitionPaused(
  database: Database,
  { definitionId, paused, actor }: PauseRequest,
): Promise<ControlOutcome> {
  return database.transactional(async (transaction) => {
    await transaction.rows(statements.lockDefinition, [definitionId]);
    const entity = await transaction.em.findOne(StrategyDefinition, definitionId);
    if (entity === null) throw unknownDefinition(definitionId);
    const isPaused = entity.pausedAt !== null && entity.pausedAt !== undefined;
    if (isPaused === paused) return "unchanged";
    entity.pausedAt = paused ? now() : null;
    audit(transaction, {
      actor,
      action: paused ? "definition.pause" : "definition.resume",
      subjectType: "definition",
      subjectId: definitionId,
    });
    return "requested";
  });
}

/**
 * Locks a definition until the transaction ends: two that fill its shards or write its versions do so
 * one after the other. @throws NotFoundError DEFINITION_NOT_FOUND
 */
export async function lockDefinition(
  transaction: OpenTransaction,
  definitionId: string,
): Promise<Definition> {
  await transaction.rows(statements.lockDefinition, [definitionId]);
  const entity = await transaction.em.findOne(StrategyDefinition, definitionId);
  if (entity === null) throw unknownDefinition(definitionId);
  return definitionOfEntity(entity);
}

/** @throws NotFoundError DEFINITION_NOT_FOUND */
export async function readDefinition(
  database: Database,
  definitionId: string,
): Promise<Definition> {
  const entity = await database.read((em) => em.findOne(StrategyDefinition, definitionId));
  if (entity === null) throw unknownDefinition(definitionId);
  return definitionOfEntity(entity);
}

// Two nodes that start with the same new code both insert: whoever is second waits for the first,
// then writes the same over it.
async function write({ em }: OpenTransaction, definition: Definition): Promise<void> {
  await em.upsert(StrategyDefinition, columnsOf(definition), {
    onConflictFields: ["name"],
    onConflictExcludeFields: ["id", "isActive"],
  });
  await em.flush();
  const { id, version } = definition;
  await em.upsert(
    DefinitionVersion,
    { definition: id, version, content: definition },
    { onConflictFields: ["definition", "version"], onConflictAction: "ignore" },
  );
}

function unknownDefinition(definitionId: string): NotFoundError {
  return new NotFoundError("DEFINITION_NOT_FOUND", `no definition ${definitionId}`);
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
