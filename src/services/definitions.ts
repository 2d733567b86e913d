import type { Definition } from "#domain/definition.ts";
import type { Decisions } from "#engine/engine-parts.ts";
import type { Database } from "#persistence/database.ts";
import { upsertDefinition } from "#persistence/definitions.store.ts";
import {
  getDefinition,
  listDefinitions,
  type DefinitionRecord,
} from "#persistence/queries/definitions.ts";

export type DefinitionService = ReturnType<typeof createDefinitionService>;

export function createDefinitionService(parts: { database: Database; decisions: Decisions }) {
  return {
    /** Brings the stored templates up to those in code, by name; an unchanged one is not written. */
    async sync(definitions: readonly Definition[]): Promise<Definition[]> {
      const synced: Definition[] = [];
      for (const { id: _id, version: _version, ...content } of definitions) {
        // A template whose own defaults are wrong must not reach anybody.
        parts.decisions.parseParams(content.decisionAgent, content.defaultParams);
        synced.push(await upsertDefinition(parts.database, content));
      }
      return synced;
    },

    /** By name. */
    list: (): Promise<DefinitionRecord[]> => listDefinitions(parts.database),

    /** By id or name. @throws NotFoundError DEFINITION_NOT_FOUND */
    get: (idOrName: string): Promise<DefinitionRecord> => getDefinition(parts.database, idOrName),
  };
}
