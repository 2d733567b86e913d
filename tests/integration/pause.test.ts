import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type EngineFixture,
  type EngineOptions,
  PERIOD_MS,
  reader,
  startEngine,
  wipe,
} from "#support/engine.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const NAME = "test_btc";
const WAIT = { timeout: 10_000, interval: 20 };

describe.each(storeKinds)("a paused template on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });
  afterEach(() => wipe(store));
  afterAll(() => store[Symbol.asyncDispose]());

  const open = (options?: EngineOptions, after?: EngineFixture) =>
    startEngine(store, options, after);

  test("gets no new ticks, also after a restart, until it is resumed", async () => {
    const first = await open({ lockstep: false });
    const [id = ""] = await first.create(await first.define(), "a");
    await tick(first);
    const paused = await first.services.definitions.pause(NAME, "test");
    expect(paused).toMatchObject({ outcome: "requested", definition: { state: "paused" } });
    expect(paused.definition.pausedAt).toBeGreaterThan(0);
    await passBoundary(first);
    await first.stop();

    await using second = await open({ lockstep: false }, first);
    await passBoundary(second);
    expect(await second.counts(id)).toEqual([1]);
    expect(await stateOf(second)).toBe("paused");
    await vi.waitFor(() => expect(groupOf(second)).toMatchObject({ state: "paused" }), WAIT);

    const resumed = await second.services.definitions.resume(NAME, "test");
    expect(resumed).toMatchObject({ outcome: "requested", definition: { pausedAt: null } });
    await vi.waitFor(async () => expect(await second.counts(id)).toEqual([2]), WAIT);
    await vi.waitFor(async () => expect(await stateOf(second)).toBe("idle"), WAIT);
  });

  test("lets the tick under way end", async () => {
    const reading = Promise.withResolvers<void>();
    await using troupe = await open({ agents: [slowReader(reading.promise)] });
    const [id = ""] = await troupe.create(await troupe.define(), "a");
    const at = troupe.clock.step();
    await vi.waitFor(async () => expect(await stateOf(troupe)).toBe("analysing"), WAIT);
    const { definition } = await troupe.services.definitions.pause(NAME, "test");
    expect(definition).toMatchObject({ state: "analysing", pausedAt: expect.any(Number) });
    reading.resolve();
    await troupe.closed(at);
    expect(await troupe.counts(id)).toEqual([1]);
    await vi.waitFor(() => expect(groupOf(troupe)).toMatchObject({ state: "paused" }), WAIT);
  });

  test("still has its strategies stopped and resumed", async () => {
    await using troupe = await open();
    const [id = ""] = await troupe.create(await troupe.define(), "a");
    await troupe.tick();
    await troupe.services.definitions.pause(NAME, "test");
    await troupe.stopStrategy(id, true);
    expect(await troupe.strategy(id)).toMatchObject({ stop_reason: "normal_exit" });
    await troupe.resumeStrategy(id);
    expect(await troupe.ticks()).toHaveLength(1);
  });

  test.each([
    ["one", 2],
    ["skip", 1],
  ] as const)("makes up for what it missed as after a downtime: %s", async (catchUp, ticks) => {
    await using troupe = await open({ lockstep: false });
    const definition = await troupe.define({ catchUp });
    await troupe.create(definition, "a");
    await tick(troupe);
    await troupe.services.definitions.pause(NAME, "test");
    await passBoundary(troupe, 2.5);
    await troupe.services.definitions.resume(NAME, "test");
    await vi.waitFor(async () => expect(await troupe.ticks()).toHaveLength(ticks), WAIT);
    await rounds(troupe);
    expect(await troupe.ticks()).toHaveLength(ticks);
    await tick(troupe);
    expect(await troupe.ticks()).toHaveLength(ticks + 1);
  });

  test("is paused once: asked again nothing changes, and who did it is on record", async () => {
    await using troupe = await open();
    const { id } = await troupe.define();
    const { definitions } = troupe.services;
    const [one, two] = [await definitions.pause(NAME, "ann"), await definitions.pause(id, "bob")];
    expect(two).toEqual({ ...one, outcome: "unchanged" });
    expect((await definitions.resume(NAME, "bob")).outcome).toBe("requested");
    expect((await definitions.resume(NAME, "ann")).outcome).toBe("unchanged");
    const audited = await troupe.rows(
      "select actor, action from audit_log where subject_id = $1 and action <> $2 order by created_at",
      [id, "definition.create"],
    );
    expect(audited).toEqual([
      { actor: "ann", action: "definition.pause" },
      { actor: "bob", action: "definition.resume" },
    ]);
    await expect(definitions.pause("nobody", "ann")).rejects.toMatchObject({
      code: "DEFINITION_NOT_FOUND",
    });
  });

  test("an edit of a paused template leaves it paused", async () => {
    await using troupe = await open();
    await troupe.define();
    await troupe.services.definitions.pause(NAME, "test");
    await troupe.define({ displayName: "Another title" });
    expect(await stateOf(troupe)).toBe("paused");
  });

  async function stateOf(troupe: EngineFixture): Promise<string> {
    return (await troupe.services.definitions.get(NAME)).state;
  }

  const groupOf = (troupe: EngineFixture) => troupe.engine.directory.groups()[0];
});

test.each(storeKinds)("skipped ticks are counted and shown on %s", async (kind) => {
  await using store = await openTestStore(kind);
  const reading = Promise.withResolvers<void>();
  await using troupe = await startEngine(store, {
    agents: [slowReader(reading.promise)],
    lockstep: false,
  });
  await troupe.create(await troupe.define(), "a");
  const first = troupe.clock.step();
  troupe.engine.nudge();
  await vi.waitFor(async () => expect(await troupe.ticks()).toHaveLength(1), WAIT);
  const second = troupe.clock.step();
  troupe.engine.nudge();
  await troupe.closed(second);
  expect(await troupe.services.definitions.get(NAME)).toMatchObject({
    state: "analysing",
    skippedTicks: 1,
    lastTickFor: second,
  });
  expect(troupe.engine.directory.groups()).toMatchObject([
    { state: "analysing", tickFor: first, skipped: 1 },
  ]);
  reading.resolve();
  await troupe.closed(first);
});

/** Boundaries that time has passed, with time enough to propose a tick for them. */
async function passBoundary(troupe: EngineFixture, periods = 1): Promise<void> {
  troupe.clock.moveTo(troupe.clock.now() + periods * PERIOD_MS);
  troupe.engine.nudge();
  await rounds(troupe);
}

/** The scheduler has looked twice since: what it had to propose is proposed. */
async function rounds(troupe: EngineFixture): Promise<void> {
  const looks = () => troupe.store.statements.filter((text) => text.includes("as is_paused"));
  const before = looks().length;
  await vi.waitFor(() => expect(looks().length).toBeGreaterThan(before + 1), WAIT);
}

async function tick(troupe: EngineFixture): Promise<void> {
  const at = troupe.clock.step();
  troupe.engine.nudge();
  await troupe.closed(at);
}

function slowReader(until: Promise<void>) {
  const reading = { confidence: 1, score: 0, reasoning: "", data: {}, provenance: [] };
  return reader("ta", async () => {
    await until;
    return { signal: "NEUTRAL", ...reading };
  });
}
