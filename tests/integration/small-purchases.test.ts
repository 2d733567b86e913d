import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { buy, type EngineOptions, startEngine, wipe } from "#support/engine.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

describe.each(storeKinds)("purchases below the venue's smallest order on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(() => wipe(store));

  afterAll(() => store[Symbol.asyncDispose]());

  test("are an alert of their strategy after ten in a row, those of its siblings are not", async () => {
    const decisions: EngineOptions["decisions"] = {
      // At a price of 100: worth 1 and 100, where the least is 5.
      saving: ({ params }) => buy(params.role === "small" ? "0.01" : "1"),
    };
    await using troupe = await startEngine(store, { decisions });
    const definition = await troupe.define({ decisionAgent: "saving" });
    const [small = "", large = ""] = await troupe.create(definition, "small", "large");
    for (let tick = 0; tick < 9; tick += 1) await troupe.tick();
    expect(await troupe.alerts()).toEqual([]);
    await troupe.tick();
    await vi.waitFor(async () => {
      expect(await troupe.alerts()).toEqual([
        expect.objectContaining({ kind: "purchases_too_small", subject: small, occurrences: 1 }),
      ]);
    });
    expect(await troupe.counts(small, large)).toEqual([10, 10]);
  });
});
