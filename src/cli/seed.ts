import { seedDemo } from "#services/demo.ts";
import type { Services } from "#services/services.ts";

/** Creates the demo's strategies in a database that has none; returns how many. */
export async function seedWhenEmpty(services: Services): Promise<number> {
  const { total } = await services.strategies.count();
  return total === 0 ? seed(services) : 0;
}

/** The demo's strategies, or `count` of their kind. */
export async function seed(services: Services, count?: number): Promise<number> {
  const owner = await services.localUser();
  const definitions = await services.definitions.list();
  return seedDemo(services.strategies, definitions, {
    userId: owner.id,
    actor: owner.email,
    ...(count === undefined ? {} : { count }),
  });
}
