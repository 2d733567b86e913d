import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { text } from "#persistence/rows.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { seedDemo } from "#services/demo.ts";
import { redecide, type RedecisionParts } from "#services/redecision.ts";
import { startEngine, type RunningEngine } from "#support/running-engine.ts";

const TICKS = 60;

describe("a stored cycle", () => {
  let running: RunningEngine;
  let parts: RedecisionParts;
  let cycles: { strategyId: string; composeId: string }[];

  beforeAll(async () => {
    running = await startEngine({ speed: "max" });
    const { database, engine, queue, services } = running.troupe;
    const { id: userId, email: actor } = await services.localUser();
    await seedDemo(services.strategies, bundledDefinitions, { userId, actor });
    await vi.waitFor(
      () => {
        const far = engine.live.all().filter(({ cycleIndex }) => cycleIndex >= TICKS);
        expect(far).toHaveLength(12);
      },
      { timeout: 60_000, interval: 100 },
    );
    await engine.stop("enough to decide again");
    parts = {
      database,
      ticks: createEngineStore(database, queue),
      decisions: createDecisionRegistry(),
      channels: createChannelRegistry(),
    };
    const rows = await database.sql.rows(
      "select strategy_id, compose_id from strategy_compose_cycles where decision is not null",
    );
    cycles = rows.map((row) => ({
      strategyId: text(row, "strategy_id"),
      composeId: text(row, "compose_id"),
    }));
  }, 120_000);
  afterAll(() => running[Symbol.asyncDispose]());

  test("is decided again to the same decision and the same instructions (I15)", async () => {
    expect(cycles.length).toBeGreaterThanOrEqual(12 * TICKS);
    const again = await Promise.all(
      cycles.map(({ strategyId, composeId }) => redecide(parts, strategyId, composeId)),
    );
    expect(again.filter(({ identical }) => !identical)).toEqual([]);
  });

  test("shows by path what differs when its record was changed", async () => {
    const [row] = await parts.database.sql.rows(
      "select strategy_id, compose_id from strategy_instructions where position = 0 limit 1",
    );
    if (row === undefined) throw new Error("no instruction was recorded");
    const [strategyId, composeId] = [text(row, "strategy_id"), text(row, "compose_id")];
    await parts.database.sql.run(
      "update strategy_instructions set quantity = 7 where strategy_id = $1 and compose_id = $2",
      [strategyId, composeId],
    );
    const { differences, identical } = await redecide(parts, strategyId, composeId);
    expect(identical).toBe(false);
    expect(differences).toEqual([
      expect.objectContaining({ path: "instructions.0.quantity", stored: "7" }),
    ]);
  });
});
