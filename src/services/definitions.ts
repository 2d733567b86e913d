import type { Definition } from "#domain/definition.ts";
import type { Decisions } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import { upsertDefinition } from "#persistence/repositories/definitions.repository.ts";
import {
  getDefinition,
  listDefinitions,
  type DefinitionRecord,
} from "#persistence/queries/definitions.ts";

export type DefinitionService = ReturnType<typeof createDefinitionService>;

export function createDefinitionService(dependencies: {
  database: Database;
  decisions: Decisions;
}) {
  return {
    /** Brings the stored templates up to those in code, by name; an unchanged one is not written. */
    async sync(definitions: readonly Definition[]): Promise<Definition[]> {
      const synced: Definition[] = [];
      for (const { id: _id, version: _version, ...content } of definitions) {
        // A template whose own defaults are wrong must not reach anybody.
        dependencies.decisions.parseParams(content.decisionAgent, content.defaultParams);
        synced.push(await upsertDefinition(dependencies.database, content));
      }
      return synced;
    },

    /** By name. */
    list: (): Promise<DefinitionRecord[]> => listDefinitions(dependencies.database),

    /** By id or name. @throws NotFoundError DEFINITION_NOT_FOUND */
    get: (idOrName: string): Promise<DefinitionRecord> =>
      getDefinition(dependencies.database, idOrName),
  };
}
