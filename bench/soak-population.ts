import type { Definition } from "#domain/definition.ts";
import { definitionIdOf } from "#domain/ids.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import type { Services } from "#services/services.ts";
import { CASTS } from "./population.ts";

const CHUNK = 500;

/** The daily templates' decisions, ticking as often as the soak wants; nobody runs on the others. */
export async function populateSoak(
  services: Services,
  { strategies, period }: { strategies: number; period: number },
): Promise<void> {
  const { id: userId, email: actor } = await services.localUser();
  const daily = bundledDefinitions.filter(({ name }) => name in CASTS);
  const definitions = await services.definitions.sync(
    daily.map((definition) => soaking(definition, period)),
  );
  for (const [position, definition] of definitions.entries()) {
    const paramsOf = CASTS[daily[position]?.name ?? ""];
    const share = Math.floor((strategies + position) / definitions.length);
    const requests = Array.from({ length: share }, (_, index) => ({
      name: `${definition.displayName} ${index + 1}`,
      initialBalance: "10000",
      params: paramsOf?.(index) ?? {},
    }));
    for (let from = 0; from < share; from += CHUNK) {
      const chunk = requests.slice(from, from + CHUNK);
      await services.strategies.createAll(definition, { userId, actor }, chunk);
    }
  }
}

function soaking(definition: Definition, periodMinutes: number): Definition {
  const name = `soak_${definition.name}`;
  return { ...definition, id: definitionIdOf(name), name, periodMinutes };
}
