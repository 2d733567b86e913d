import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import { paramHelp, type ParamHelp } from "#domain/param-help.ts";
import { quoted } from "#domain/quote.ts";
import type { Decisions } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import { upsertDefinition } from "#persistence/repositories/definitions.repository.ts";
import {
  getDefinition,
  listDefinitions,
  type DefinitionRecord,
} from "#persistence/queries/definitions.ts";

/** Templates that an error names. */
const NAMED = 20;

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

    /** By id or name. @throws NotFoundError DEFINITION_NOT_FOUND, naming those that are there */
    async get(idOrName: string): Promise<DefinitionRecord> {
      try {
        return await getDefinition(dependencies.database, idOrName);
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
        const names = (await listDefinitions(dependencies.database)).map(({ name }) => name);
        throw unknownDefinition(idOrName, names);
      }
    },

    /** The params its strategies may have, with its own defaults. */
    params: ({ decisionAgent, defaultParams }: Definition): ParamHelp[] =>
      paramHelp(dependencies.decisions.get(decisionAgent).paramsSchema, defaultParams),
  };
}

function unknownDefinition(idOrName: string, names: readonly string[]): NotFoundError {
  const others = names.length - NAMED;
  const more = others > 0 ? ` and ${others} more` : "";
  const message = `expected one of ${names.slice(0, NAMED).join(", ")}${more}, was ${quoted(idOrName)}`;
  return new NotFoundError("DEFINITION_NOT_FOUND", `no such template: ${message}`, {
    fields: [{ field: "definition", message }],
  });
}
