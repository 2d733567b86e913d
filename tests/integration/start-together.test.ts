import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "#config/config.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { seedWhenEmpty } from "../../src/cli/seed.ts";
import { openStore } from "../../src/troupe.ts";

test("nodes that start at once on an empty database create the demo's strategies once", async () => {
  await using empty = await createPostgresDatabase();
  const config = readConfig({ DATABASE_URL: empty.url });
  const logger = pino({ level: "silent" });
  await using resources = new AsyncDisposableStack();
  const nodes = await Promise.all(
    Array.from({ length: 3 }, async () => resources.use(await openStore({ config, logger }))),
  );
  const created = await Promise.all(nodes.map(({ services }) => seedWhenEmpty(services)));
  expect(created.reduce((sum, count) => sum + count, 0)).toBe(12);
  expect(await nodes[0]?.services.strategies.count()).toMatchObject({ total: 12 });
  expect(await nodes[0]?.services.definitions.list()).toHaveLength(4);
});
