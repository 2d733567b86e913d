import type { Services } from "#services/services.ts";
import type { Names } from "./overview.ts";

/** A strategy's name is looked up in the background when it is first shown, and again after edits. */
export async function createNames(services: Services): Promise<Names> {
  const { definitions, strategies } = services;
  const templates = new Map((await definitions.list()).map(({ id, name }) => [id, name]));
  const known = new Map<string, string>();
  const asked = new Set<string>();
  services.onChange(() => asked.clear());
  const look = async (id: string): Promise<void> => {
    asked.add(id);
    try {
      known.set(id, (await strategies.get(id)).name);
    } catch {
      // Shown by its id; the next start asks again.
    }
  };
  return {
    strategy: (id) => {
      if (!asked.has(id)) void look(id);
      return known.get(id);
    },
    definition: (id) => templates.get(id),
  };
}
