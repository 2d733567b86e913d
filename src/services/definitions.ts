import type { Definition } from "#domain/definition.ts";
import { NotFoundError } from "#domain/errors.ts";
import { paramHelp, type ParamHelp } from "#domain/param-help.ts";
import { quoted } from "#domain/quote.ts";
import type { Decisions } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import {
  setDefinitionPaused,
  upsertDefinition,
  type PauseRequest,
} from "#persistence/repositories/definitions.repository.ts";
import type { ControlOutcome } from "#persistence/repositories/strategy-controls.repository.ts";
import {
  getDefinition,
  listDefinitions,
  type DefinitionRecord,
} from "#persistence/queries/definitions.ts";

/** Templates that an error names. */
const NAMED = 20;

export interface PauseResult {
  /** Whether there was anything to do. */
  outcome: ControlOutcome;
  definition: DefinitionRecord;
}

export type DefinitionService = ReturnType<typeof createDefinitionService>;

export function createDefinitionService(dependencies: {
  database: Database;
  decisions: Decisions;
  /** Told after every stored change, so that nobody waits for a poll. */
  onChange: () => void;
}) {
  const { database, onChange } = dependencies;
  const setPaused = async (
    idOrName: string,
    request: Pick<PauseRequest, "paused" | "actor">,
  ): Promise<PauseResult> => {
    const { id: definitionId } = await findDefinition(database, idOrName);
    const outcome = await setDefinitionPaused(database, { definitionId, ...request });
    if (outcome === "requested") onChange();
    return { outcome, definition: await getDefinition(database, definitionId) };
  };
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
    get: (idOrName: string): Promise<DefinitionRecord> => findDefinition(database, idOrName),

    /** The params its strategies may have, with its own defaults. */
    params: ({ decisionAgent, defaultParams }: Definition): ParamHelp[] =>
      paramHelp(dependencies.decisions.get(decisionAgent).paramsSchema, defaultParams),

    /**
     * No new ticks until it is resumed, over restarts too; one under way ends. Its strategies still
     * take commands. By id or name. @throws NotFoundError DEFINITION_NOT_FOUND
     */
    pause: (idOrName: string, actor: string): Promise<PauseResult> =>
      setPaused(idOrName, { paused: true, actor }),

    /** What a pause missed is made up for as after a downtime. @throws as `pause` */
    resume: (idOrName: string, actor: string): Promise<PauseResult> =>
      setPaused(idOrName, { paused: false, actor }),
  };
}

async function findDefinition(database: Database, idOrName: string): Promise<DefinitionRecord> {
  try {
    return await getDefinition(database, idOrName);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    const names = (await listDefinitions(database)).map(({ name }) => name);
    throw unknownDefinition(idOrName, names);
  }
}

function unknownDefinition(idOrName: string, names: readonly string[]): NotFoundError {
  const others = names.length - NAMED;
  const more = others > 0 ? ` and ${others} more` : "";
  const message = `expected one of ${names.slice(0, NAMED).join(", ")}${more}, was ${quoted(idOrName)}`;
  return new NotFoundError("DEFINITION_NOT_FOUND", `no such template: ${message}`, {
    fields: [{ field: "definition", message }],
  });
}
