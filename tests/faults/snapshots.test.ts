import { hash } from "node:crypto";
// What an upgrade, and one taken back, make of the snapshots that are stored.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { sealAt, unseal } from "#engine/strategy/envelope.ts";
import type { JsonObject } from "#domain/json.ts";
import {
  buy,
  hold,
  startEngine,
  wipe,
  type Decide,
  type EngineFixture,
  type EngineOptions,
} from "#support/engine.ts";
import { violations } from "#support/invariants.ts";
import { storedMachines } from "#machines/registry.ts";
import { secondVersion } from "#support/second-version.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const kinds = process.env["TROUPE_FAULTS"] === "all" ? storeKinds : (["pglite"] as const);

const CURRENT = storedMachines.strategy.version;

describe.each(kinds)("snapshots of another version on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(async () => {
    expect(await violations(rows)).toEqual([]);
    await wipe(store);
  });

  afterAll(() => store[Symbol.asyncDispose]());

  // A decision state per role, so that what is restored can be told.
  const decide: Decide = ({ params: { role }, portfolio, state }) => {
    seen.push({ role, state });
    const kept = state ?? { role, cursed: role === "cursed" };
    return portfolio.holdings.length === 0 ? buy("1", { state: kept }) : hold({ state: kept });
  };
  let seen: { role: string; state: JsonObject | null }[] = [];
  const options: EngineOptions = { decisions: { decide } };
  const upgraded: EngineOptions = { ...options, stored: secondVersion };

  test("an upgrade brings older ones up, and isolates the one it cannot bring up", async () => {
    const first = await startEngine(store, options);
    const ids = await members(first, "a", "cursed", "b");
    const [a = "", cursed = "", b = ""] = ids;
    await first.tick();
    const before = await first.strategy(a);
    await first.stop();
    expect(await versions(...ids)).toEqual([CURRENT, CURRENT, CURRENT]);

    seen = [];
    await using second = await startEngine(store, upgraded, first);
    const { total_value, current_balance, cycle_index } = before;
    expect(await second.strategy(a)).toMatchObject({ total_value, current_balance, cycle_index });
    await second.tick();
    expect(seen.toSorted((one, other) => one.role.localeCompare(other.role))).toEqual([
      { role: "a", state: { role: "a", cursed: false, broughtUp: true } },
      { role: "b", state: { role: "b", cursed: false, broughtUp: true } },
    ]);
    expect(await second.counts(...ids)).toEqual([2, 1, 2]);
    expect(await versions(a, cursed, b)).toEqual([CURRENT + 1, CURRENT, CURRENT + 1]);
    expect(await second.strategy(cursed)).toMatchObject({
      state: "stopped",
      stop_reason: "error",
      stop_reason_detail: `invalid: the migration from version ${CURRENT} to ${CURRENT + 1} failed: it is cursed`,
    });
    expect(await second.alerts()).toMatchObject([{ kind: "snapshot_unusable", subject: cursed }]);
  });

  test("an older build leaves newer ones as they are, and the newer build goes on with them", async () => {
    const first = await startEngine(store, upgraded);
    const [newer = ""] = await members(first, "a");
    await first.tick();
    await first.stop();
    const kept = await rows("select * from actor_snapshots");

    const older = await startEngine(store, options, first);
    expect(await older.strategy(newer)).toMatchObject({
      state: "stopped",
      stop_reason: "error",
      stop_reason_detail: expect.stringContaining("written by a newer build"),
    });
    await older.stop();
    expect(await rows("select * from actor_snapshots")).toEqual(kept);

    await using again = await startEngine(store, upgraded, older);
    await again.resumeStrategy(newer);
    await again.tick();
    expect(await again.counts(newer)).toEqual([2]);
  });

  test("one of a version or a state nobody knows stops alone, also in a template that is switched off", async () => {
    const first = await startEngine(store, options);
    const ids = await members(first, "a", "b", "c");
    await first.tick();
    await first.stop();
    const [unknownVersion = "", unknownState = "", well = ""] = ids;
    await forge(unknownVersion, { version: 7 });
    await forge(unknownState, { value: JSON.parse('"asleep"') });
    await first.define({ decisionAgent: "decide", isActive: false });

    await using second = await startEngine(store, options, first);
    expect((await second.strategy(unknownVersion))["stop_reason_detail"]).toContain("was 7");
    expect((await second.strategy(unknownState))["stop_reason_detail"]).toContain('"asleep"');
    expect(await second.strategy(well)).toMatchObject({ state: "running" });
    expect(second.recovered).toMatchObject({ restored: 1, resumed: 1 });
    await second.define({ decisionAgent: "decide" });
    await second.tick();
    expect(await second.counts(...ids)).toEqual([1, 1, 2]);
  });

  function rows(statement: string, params: readonly unknown[] = []) {
    return store.database.sql
      .rows(statement, params)
      .then((found) => found.map((row): Record<string, unknown> => ({ ...row })));
  }

  async function members(troupe: EngineFixture, ...roles: string[]): Promise<string[]> {
    return troupe.create(await troupe.define({ decisionAgent: "decide" }), ...roles);
  }

  async function versions(...ids: string[]): Promise<number[]> {
    const found = await rows(
      "select version from actor_snapshots where strategy_id = any($1::uuid[]) order by array_position($1, strategy_id)",
      [ids],
    );
    return found.map(({ version }) => Number(version));
  }

  /** Sealed as a build would have done that writes such a version or state. */
  async function forge(
    id: string,
    { version = CURRENT, value }: { version?: number; value?: "running" },
  ): Promise<void> {
    const [row] = await rows("select * from actor_snapshots where strategy_id = $1", [id]);
    const opened = unseal({
      machine: String(row?.["machine"]),
      version: Number(row?.["version"]),
      value: String(row?.["value"]),
      hash: String(row?.["hash"]),
      snapshot: String(row?.["snapshot"]),
    });
    if (!opened.ok) throw new Error(opened.detail);
    const sealed = sealAt(opened, { version });
    const state = value ?? opened.value;
    const snapshot = sealed.snapshot.replace(`"value":"${opened.value}"`, `"value":"${state}"`);
    const digest = hash("sha256", `strategy\n${version}\n${state}\n${snapshot}`);
    await rows(
      "update actor_snapshots set version = $2, value = $3, hash = $4, snapshot = $5 where strategy_id = $1",
      [id, version, state, digest, snapshot],
    );
  }
});
