import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createWorkQueue } from "#adapters/pg-boss-queue.ts";
import type { QueueName } from "#ports/work-queue.ts";
import { startEngine } from "#support/engine.ts";
import { openTestStore, type TestStore } from "#support/test-store.ts";
import { queueDatabaseOf } from "../../src/troupe.ts";

const quiet = { warn: () => undefined, error: () => undefined };

test("a message of a tick that is not stored here is told, and holds up no other", async () => {
  await using store = await openTestStore("postgres");
  await using troupe = await startEngine(store);
  const definition = await troupe.define();
  await troupe.create(definition, "one");
  const tickId = randomUUID();
  await send(store, "ticks", { key: definition.id, body: { tickId } });
  await expect
    .poll(() => troupe.alerts(), { timeout: 20_000 })
    .toMatchObject([{ kind: "unknown_tick", subject: definition.id, detail: { tickId } }]);
  await troupe.tick();
  expect(await troupe.alerts()).toMatchObject([{ kind: "unknown_tick", occurrences: 1 }]);
});

async function send(
  store: TestStore,
  queueName: QueueName,
  message: { key: string; body: { tickId: string } },
): Promise<void> {
  const queue = createWorkQueue({ database: queueDatabaseOf(store.database), logger: quiet });
  await queue.start();
  await queue.send(queueName, [message]);
  await queue.stop(0);
}
