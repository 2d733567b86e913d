import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AgentContext } from "#ports/business-agent.ts";
import {
  EngineFixture,
  type EngineOptions,
  FIRST_TICK,
  HandClock,
  HandFeed,
  PERIOD_MS,
  reader,
  wipe,
} from "#support/engine.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

const DAY_MS = 86_400_000;

describe.each(storeKinds)("a template finer than its data on %s", (kind) => {
  let store: TestStore;

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  afterEach(() => wipe(store));

  afterAll(() => store[Symbol.asyncDispose]());

  test("ticks once per bar and holds up nobody", async () => {
    const clock = new WatchedClock(true);
    await using troupe = await open(store, { clock });
    const [quick = ""] = await troupe.create(await troupe.define(), "quick");
    const daily = await troupe.define({ name: "daily_btc", periodMinutes: 1_440 });
    const [slow = ""] = await troupe.create(daily, "slow");
    for (const day of [0, 1, 2]) {
      clock.moveTo(FIRST_TICK + day * DAY_MS);
      await troupe.closed(clock.now());
    }
    expect(await troupe.counts(quick, slow)).toEqual([3, 3]);
    expect(clock.asked.filter((instant) => instant % DAY_MS !== 0)).toEqual([]);
  });

  test("is said once, in an alert that lasts", async () => {
    const clock = new WatchedClock(true);
    await using troupe = await open(store, { clock });
    const definition = await troupe.define();
    await troupe.create(definition, "quick");
    for (const day of [0, 1]) {
      clock.moveTo(FIRST_TICK + day * DAY_MS);
      await troupe.closed(clock.now());
    }
    expect(await troupe.alerts()).toEqual([
      {
        kind: "template_finer_than_data",
        severity: "warning",
        subject: definition.id,
        occurrences: 1,
        detail: { definitionId: definition.id, periodMinutes: 10, barMinutes: 1_440 },
      },
    ]);
  });

  test("one that nobody uses, and one as fine as its data, are not spoken of", async () => {
    const clock = new WatchedClock(true);
    await using troupe = await open(store, { clock });
    await troupe.define();
    const daily = await troupe.define({ name: "daily_btc", periodMinutes: 1_440 });
    await troupe.create(daily, "slow");
    clock.moveTo(FIRST_TICK);
    await troupe.closed(clock.now());
    expect(await troupe.alerts()).toEqual([]);
  });

  test("agents are told which tick was before, and get bars of the template's period", async () => {
    const seen: AgentContext["since"][] = [];
    const asked: number[] = [];
    const ta = reader("ta", async (context) => {
      seen.push(context.since);
      await context.candles("BTC/USDT", 3);
      return {
        signal: "NEUTRAL",
        confidence: 1,
        score: 0,
        reasoning: "",
        data: {},
        provenance: [],
      };
    });
    const clock = new WatchedClock(true);
    await using troupe = await open(store, {
      clock,
      agents: [ta],
      bars: async ({ timeframeMs }) => {
        asked.push(timeframeMs);
        return [];
      },
    });
    await troupe.create(await troupe.define(), "quick");
    for (const day of [0, 1]) {
      clock.moveTo(FIRST_TICK + day * DAY_MS);
      await troupe.closed(clock.now());
    }
    expect(seen).toEqual([null, FIRST_TICK]);
    expect(asked).toEqual([PERIOD_MS, PERIOD_MS]);
  });
});

/** Remembers the instants somebody waited for. */
class WatchedClock extends HandClock {
  readonly asked: number[] = [];

  override sleepUntil(instant: number, signal: AbortSignal): Promise<void> {
    this.asked.push(instant);
    return super.sleepUntil(instant, signal);
  }
}

/** One bar a day. */
class DailyFeed extends HandFeed {
  override stepMs(): number {
    return DAY_MS;
  }
}

async function open(
  store: TestStore,
  options: EngineOptions & { clock: HandClock },
): Promise<EngineFixture> {
  const feed = new DailyFeed();
  const fixture = new EngineFixture(store, options, { clock: options.clock, feed });
  await fixture.engine.start();
  return fixture;
}
