import { seedDemo, seedDemoOnce } from "#services/demo.ts";
import type { Services } from "#services/services.ts";

/** Creates the demo's strategies in a database that has none, once; returns how many. */
export async function seedWhenEmpty(services: Services): Promise<number> {
  const { total } = await services.strategies.count();
  if (total > 0) return 0;
  return seedDemoOnce(
    services.strategies,
    await services.definitions.list(),
    await owner(services),
  );
}

/** The demo's strategies, or `count` of their kind. */
export async function seed(services: Services, count?: number): Promise<number> {
  const definitions = await services.definitions.list();
  const given = count === undefined ? {} : { count };
  return seedDemo(services.strategies, definitions, { ...(await owner(services)), ...given });
}

async function owner(services: Services): Promise<{ userId: string; actor: string }> {
  const { email, id } = await services.localUser();
  return { userId: id, actor: email };
}
