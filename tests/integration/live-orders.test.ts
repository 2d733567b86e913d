import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Decision } from "#domain/decision.ts";
import type { PlanItem } from "#domain/trading.ts";
import {
  buy,
  type Decide,
  type EngineFixture,
  type EngineOptions,
  hold,
  PERIOD_MS,
  startEngine,
  SYMBOL,
  wipe,
} from "#support/engine.ts";
import type { ExchangeChannel } from "#support/exchange/exchange-channel.ts";
import type { AccountOptions, Behaviour, TradeCall } from "#support/exchange/messages.ts";
import { disagreements } from "#support/exchange/reconciliation.ts";
import { startExchange, type TestExchange } from "#support/exchange/test-exchange.ts";
import { type Query, violations } from "#support/invariants.ts";
import { openTestStore, storeKinds, type TestStore } from "#support/test-store.ts";

/** Real time, ms: short, so that a test can wait for the long ones. */
const ORDERS = {
  answerMs: 200,
  askEveryMs: 20,
  askAtLeastEveryMs: 100,
  notFoundMs: 400,
  sendWithinMs: 5_000,
  unknownMs: 300,
};
const QUICK = { timeout: 10_000, interval: 10 };

let exchange: TestExchange;
let accounts = 0;

beforeAll(async () => {
  exchange = await startExchange();
});

afterAll(() => exchange[Symbol.asyncDispose]());

describe.each(storeKinds)("live orders on %s", (kind) => {
  let store: TestStore;
  let account: string;
  const channels: ExchangeChannel[] = [];
  const query: Query = (statement, params) =>
    store.database.sql.rows(statement, params).then((rows) => rows.map((row) => ({ ...row })));

  beforeAll(async () => {
    store = await openTestStore(kind);
  });

  beforeEach(async () => {
    accounts += 1;
    account = `account_${accounts}`;
  });

  // Whatever happened: what is stored is whole, and the exchange says the same.
  afterEach(async () => {
    for (const channel of channels.splice(0)) await channel[Symbol.asyncDispose]();
    await exchange.tell({ call: "behaveWell" });
    const { accounts: opened, orders, ...rest } = await exchange.book();
    const isOwn = (one: { account: string }) => one.account === account;
    const own = { ...rest, accounts: opened.filter(({ name }) => name === account) };
    const found = [
      ...(await violations(query)),
      ...(await disagreements({ ...own, orders: orders.filter(isOwn) }, query)),
    ];
    await wipe(store);
    expect(found).toEqual([]);
  });

  afterAll(() => store[Symbol.asyncDispose]());

  /** An engine with a channel of its own to this test's account, and one strategy per role. */
  async function open(
    decide: Decide,
    given: OpenOptions = {},
    after?: EngineFixture,
  ): Promise<{ troupe: EngineFixture; ids: string[]; id: string }> {
    const { duplicates = "rejected", idsTaken = "while open", ...options } = given;
    const { roles = ["one"], marketType = "spot" } = given;
    const channel = await exchange.openChannel(
      { name: account, marketType, idsTaken },
      { duplicates },
    );
    channels.push(channel);
    const settings = { orders: ORDERS, ...options.settings };
    const own = { ...options, settings, channels: [channel], decisions: { decide } };
    const troupe = await startEngine(store, own, after);
    if (after !== undefined) return { troupe, ids: [], id: "" };
    await priced(troupe, "100");
    const definition = await troupe.define({ tradeChannel: account, decisionAgent: "decide" });
    const ids = await troupe.create(definition, ...roles);
    return { troupe, ids, id: ids[0] ?? "" };
  }

  /** The price from now on, for the engine and for the exchange. */
  async function priced(troupe: EngineFixture, price: string): Promise<void> {
    troupe.feed.set(SYMBOL, price);
    await exchange.moveMarket(troupe.clock.now(), { [SYMBOL]: price });
  }

  const behave = (to: TradeCall["call"], ...as: Behaviour[]) => exchange.behave(account, to, ...as);

  const own = async () => (await exchange.book()).orders.filter((one) => one.account === account);

  const instructions = (id: string) =>
    query(
      `select status, filled_quantity::float8 as filled, reason, side, client_order_id
       from strategy_instructions where strategy_id = $1 order by created_at, position`,
      [id],
    );

  const cyclesOf = async (id: string) =>
    (await query(
      `select cause, status, rationale from strategy_compose_cycles
       where strategy_id = $1 order by cycle_index`,
      [id],
    )) as { cause: string; status: string; rationale: string }[];

  /** Waits until all its orders are over and it stands in that state. */
  async function settled(id: string, state = "running"): Promise<void> {
    await vi.waitFor(async () => {
      const open = (await instructions(id)).filter(({ status }) => status === "pending");
      expect({ open: open.length, state: await stateOf(id) }).toEqual({ open: 0, state });
    }, QUICK);
  }

  const stateOf = async (id: string) =>
    (await query("select state from strategies where id = $1", [id]))[0]?.["state"];

  test("an order at the market is intent first, sent then, and booked when it is answered", async () => {
    await using one = await opened(open(buysOnce("2")));
    await one.troupe.tick();
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled", filled: 2 }]);
    expect(await cyclesOf(one.id)).toMatchObject([
      { cause: "tick", status: "completed" },
      { cause: "order", status: "completed" },
    ]);
    expect(await own()).toHaveLength(1);
  });

  test("partial fills are a commit each, and the strategy stays in executing meanwhile", async () => {
    await using one = await opened(open(buysOnce("1")));
    const fills = ["0.25", "0.25", "0.5"].map((share) => ({ share, afterMs: 400 }));
    await behave("place", { fills });
    await one.troupe.tick();
    await vi.waitFor(async () => {
      expect(await instructions(one.id)).toMatchObject([{ status: "pending", filled: 0.25 }]);
      expect(await stateOf(one.id)).toBe("executing");
    }, QUICK);
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled", filled: 1 }]);
    const [details] = await query("select count(*)::int as n from strategy_details");
    expect(details).toEqual({ n: 3 });
  });

  test("an order rests for hours and is filled at the price and time of then", async () => {
    await using one = await opened(open(buysOnce("1")));
    await behave("place", { fills: [] });
    await one.troupe.tick();
    for (let hour = 0; hour < 3; hour += 1) {
      one.troupe.clock.moveTo(one.troupe.clock.now() + 6 * PERIOD_MS - PERIOD_MS);
      await one.troupe.tick();
    }
    expect(await stateOf(one.id)).toBe("executing");
    await priced(one.troupe, "90");
    await exchange.tell({ call: "fillAll" });
    await settled(one.id);
    const [leg] = await query(
      "select entry_price::float8 as price, extract(epoch from event_time)::float8 as at from strategy_details",
    );
    expect(leg).toEqual({ price: 90, at: one.troupe.clock.now() / 1000 });
  });

  test("a fill that came while no engine ran is booked by the next one", async () => {
    const first = await open(buysOnce("1"));
    await behave("place", { fills: [{ share: "0.5", afterMs: 0 }] });
    await first.troupe.tick();
    await vi.waitFor(async () => {
      expect(await instructions(first.id)).toMatchObject([{ status: "pending", filled: 0.5 }]);
    }, QUICK);
    await first.troupe.stop();
    expect(await stateOf(first.id)).toBe("executing");
    await exchange.tell({ call: "fillAll" });
    await using second = await opened(open(buysOnce("1"), {}, first.troupe));
    await settled(first.id);
    expect(second.troupe.recovered).not.toBeNull();
    expect(await instructions(first.id)).toMatchObject([{ status: "filled", filled: 1 }]);
    expect(await own()).toHaveLength(1);
  });

  test("an order that is never answered is asked for, found and not sent again", async () => {
    await using one = await opened(open(buysOnce("1")));
    await exchange.tell({ call: "deliver", account, as: "lost" });
    await behave("place", { answer: "never" });
    await one.troupe.tick();
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled" }]);
    expect(await own()).toHaveLength(1);
  });

  test("an order that cannot be found for a while is not sent again", async () => {
    await using one = await opened(open(buysOnce("1")));
    await exchange.tell({ call: "deliver", account, as: "lost" });
    await behave("place", { answer: "never", hidden: { finds: 2, ms: 0 } });
    await one.troupe.tick();
    await settled(one.id);
    expect(await own()).toHaveLength(1);
    expect((await exchange.book()).refusals).not.toContainEqual(
      expect.objectContaining({ account }),
    );
  });

  test("an order that was lost is sent once more, under the same id, and not before the wait", async () => {
    await using one = await opened(open(buysOnce("1")));
    const before = (await exchange.book()).calls["place"] ?? 0;
    await behave("place", { takenAfterMs: null });
    const started = performance.now();
    await one.troupe.tick();
    await settled(one.id);
    expect(performance.now() - started).toBeGreaterThan(ORDERS.answerMs + ORDERS.notFoundMs);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled" }]);
    expect((await exchange.book()).calls["place"]).toBe(before + 2);
  });

  test("an order taken late, when it has been sent again, is in the book once", async () => {
    await using one = await opened(open(buysOnce("1"), { idsTaken: "for ever" }));
    await behave("place", { takenAfterMs: 2_000 });
    await one.troupe.tick();
    await settled(one.id);
    await vi.waitFor(async () => {
      const { refusals } = await exchange.book();
      expect(refusals.filter((refusal) => refusal.account === account)).toHaveLength(1);
    }, QUICK);
    expect(await own()).toHaveLength(1);
  });

  test.for(["rejected", "passed on"] as const)(
    "an order sent again while it cannot be found yet is not taken for refused (duplicates %s)",
    async (duplicates) => {
      await using one = await opened(open(buysOnce("1"), { idsTaken: "for ever", duplicates }));
      await exchange.tell({ call: "deliver", account, as: "lost" });
      const ms = ORDERS.answerMs + ORDERS.notFoundMs + ORDERS.notFoundMs / 2;
      await behave("place", { answer: "never", hidden: { finds: 0, ms } });
      await one.troupe.tick();
      await settled(one.id);
      expect(await instructions(one.id)).toMatchObject([{ status: "filled" }]);
    },
  );

  test("an order sent again and refused in earnest is over, with the venue's reason", async () => {
    await using one = await opened(open(buysOnce("1")));
    await behave("place", { takenAfterMs: null }, { refusal: "the market is closed" });
    await one.troupe.tick();
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([
      { status: "rejected", reason: "the market is closed" },
    ]);
  });

  test("an order that is now not found and now not to be asked for is told of by an alert", async () => {
    await using one = await opened(open(buysOnce("1")));
    await behave("place", { takenAfterMs: null });
    const wavering = Array.from({ length: 80 }, (_, n): Behaviour =>
      n % 2 === 0 ? { answer: "error" } : {},
    );
    await behave("find", ...wavering);
    await one.troupe.tick();
    await vi.waitFor(async () => {
      expect(await one.troupe.alerts()).toMatchObject([{ kind: "order_unknown" }]);
    }, QUICK);
    expect(await own()).toEqual([]);
    await exchange.tell({ call: "behaveWell" });
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled" }]);
  });

  test("an order the venue has told of is not sent again when it cannot be found any more", async () => {
    await using one = await opened(open(buysOnce("1")));
    const before = (await exchange.book()).calls["place"] ?? 0;
    await exchange.tell({ call: "deliver", account, as: "lost" });
    await behave("place", { fills: [] });
    await behave("find", ...Array.from({ length: 80 }, (): Behaviour => ({ answer: "nothing" })));
    await one.troupe.tick();
    await exchange.tell({ call: "fillAll" });
    await vi.waitFor(async () => {
      expect(await one.troupe.alerts()).toMatchObject([{ kind: "order_unknown" }]);
    }, QUICK);
    expect((await exchange.book()).calls["place"]).toBe(before + 1);
    await exchange.tell({ call: "behaveWell" });
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled" }]);
  });

  test("an order that cannot be cancelled, for it is filled, is booked and closed by its stop", async () => {
    await using one = await opened(open(buysOnce("1")));
    await exchange.tell({ call: "deliver", account, as: "lost" });
    await behave("place", { fills: [] });
    await behave("find", { answer: "never" }, { answer: "never" });
    // As venues answer that know open orders only.
    await behave("cancel", ...Array.from({ length: 40 }, (): Behaviour => ({ answer: "nothing" })));
    await one.troupe.tick();
    await vi.waitFor(async () => expect(await own()).toHaveLength(1), QUICK);
    await exchange.tell({ call: "fillAll" });
    await one.troupe.stopStrategy(one.id, true);
    expect(await instructions(one.id)).toMatchObject([
      { status: "filled", side: "BUY" },
      { status: "filled", side: "SELL" },
    ]);
  });

  test("an order that is refused is over, with the venue's reason", async () => {
    await using one = await opened(open(buysOnce("1")));
    await behave("place", { refusal: "the market is closed" });
    await one.troupe.tick();
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([
      { status: "rejected", filled: 0, reason: "the market is closed" },
    ]);
  });

  test("an order nobody can tell of stays out, with one alert, and siblings go on", async () => {
    const decide: Decide = (input) =>
      input.portfolio.holdings.length === 0 && input.params.role === "unlucky" ? buy("1") : hold();
    await using one = await opened(open(decide, { roles: ["unlucky", "sibling"] }));
    const [unlucky = "", sibling = ""] = one.ids;
    await exchange.tell({ call: "deliver", account, as: "lost" });
    await behave("place", { answer: "error" });
    await behave("find", ...Array.from({ length: 60 }, (): Behaviour => ({ answer: "error" })));
    await one.troupe.tick();
    await vi.waitFor(async () => {
      expect(await one.troupe.alerts()).toMatchObject([{ subject: unlucky, occurrences: 1 }]);
    }, QUICK);
    await one.troupe.tick();
    expect(await stateOf(unlucky)).toBe("executing");
    expect((await cyclesOf(sibling)).map(({ status }) => status)).toEqual([
      "completed",
      "completed",
    ]);
    await exchange.tell({ call: "behaveWell" });
    await settled(unlucky);
    expect(await one.troupe.alerts()).toHaveLength(1);
    expect(await own()).toHaveLength(1);
  });

  test("a tick that meets an order out is recorded as skipped, with the reason", async () => {
    await using one = await opened(open(buysOnce("1")));
    await behave("place", { fills: [] });
    await one.troupe.tick();
    await one.troupe.tick();
    const [, skipped] = await vi.waitFor(async () => {
      const cycles = (await cyclesOf(one.id)).filter(({ cause }) => cause === "tick");
      expect(cycles).toHaveLength(2);
      return cycles;
    }, QUICK);
    expect(skipped).toMatchObject({
      status: "skipped",
      rationale: expect.stringContaining("not yet answered"),
    });
    await exchange.tell({ call: "fillAll" });
    await settled(one.id);
    await one.troupe.tick();
    expect((await cyclesOf(one.id)).at(-1)).toMatchObject({ cause: "tick", status: "completed" });
  });

  test("a stop cancels what rests, books what filled, closes what is held, and is over then", async () => {
    await using one = await opened(open(buysOnce("4")));
    await behave("place", { fills: [{ share: "0.25", afterMs: 0 }] });
    await one.troupe.tick();
    await vi.waitFor(async () => {
      expect(await instructions(one.id)).toMatchObject([{ status: "pending", filled: 1 }]);
    }, QUICK);
    await one.troupe.stopStrategy(one.id, true);
    expect(await instructions(one.id)).toMatchObject([
      { status: "partial", filled: 1, side: "BUY" },
      { status: "filled", filled: 1, side: "SELL" },
    ]);
    expect((await own()).map(({ status }) => status)).toEqual(["cancelled", "filled"]);
    expect(await one.troupe.strategy(one.id)).toMatchObject({ stop_reason: "normal_exit" });
  });

  test("a stop that sells nothing still waits for what is out", async () => {
    await using one = await opened(open(buysOnce("4")));
    await behave("place", { fills: [{ share: "0.25", afterMs: 0 }] });
    await one.troupe.tick();
    await one.troupe.stopStrategy(one.id, false);
    expect(await instructions(one.id)).toMatchObject([{ status: "partial", filled: 1 }]);
    expect((await own()).map(({ status }) => status)).toEqual(["cancelled"]);
  });

  test("a protection sells while another order is out", async () => {
    const decide: Decide = ({ portfolio }) => {
      const held = portfolio.holdings.length > 0;
      const protections = [{ symbol: SYMBOL, stopLoss: "80", takeProfit: null }];
      return buy(held ? "1" : "2", { protections });
    };
    await using one = await opened(open(decide));
    await one.troupe.tick();
    await settled(one.id);
    await behave("place", { fills: [] });
    await one.troupe.tick();
    expect(await stateOf(one.id)).toBe("executing");
    await priced(one.troupe, "70");
    await one.troupe.tick();
    await vi.waitFor(async () => {
      const sold = (await own()).filter(({ side }) => side === "SELL");
      expect(sold).toMatchObject([{ status: "filled", quantity: "2" }]);
    }, QUICK);
    await exchange.tell({ call: "fillAll" });
    await settled(one.id);
  });

  test("reports that come twice and out of order are booked once", async () => {
    await using one = await opened(open(buysOnce("1")));
    await exchange.tell({ call: "deliver", account, as: "held" });
    const fills = ["0.25", "0.25"].map((share) => ({ share, afterMs: 30 }));
    await behave("place", { fills, answer: "never" });
    // Nobody is told by an answer: the reports alone say it.
    await behave("find", ...Array.from({ length: 80 }, (): Behaviour => ({ answer: "never" })));
    await one.troupe.tick();
    await vi.waitFor(async () => expect((await own())[0]?.fills).toHaveLength(2), QUICK);
    // The newest first, and what it makes old after it.
    await exchange.tell({ call: "deliver", account, as: "reversed" });
    await vi.waitFor(async () => {
      expect(await instructions(one.id)).toMatchObject([{ status: "pending", filled: 0.5 }]);
    }, QUICK);
    await exchange.tell({ call: "deliver", account, as: "twice" });
    await exchange.tell({ call: "fillAll" });
    await settled(one.id);
    expect(await instructions(one.id)).toMatchObject([{ status: "filled", filled: 1 }]);
    const [details] = await query("select count(*)::int as n from strategy_details");
    expect(details).toEqual({ n: 3 });
  });

  test("orders of a perpetual flip one way and back, to the last decimal", async () => {
    let turn = 0;
    const quantities = ["1.23457", "3.00001", "2.71828"];
    const decide: Decide = () => {
      const quantity = quantities[turn] ?? "1";
      const action = turn % 2 === 0 ? "open_long" : "open_short";
      turn += 1;
      return trades({ symbol: SYMBOL, action, quantity, leverage: 3 });
    };
    await using one = await opened(open(decide, { marketType: "perpetual" }));
    for (const price of ["100.37", "97.13", "103.91"]) {
      await priced(one.troupe, price);
      await one.troupe.tick();
      await settled(one.id);
    }
    expect(await own()).toHaveLength(5);
  });
});

interface OpenOptions extends EngineOptions {
  roles?: readonly string[];
  marketType?: AccountOptions["marketType"];
  /** As on Binance, unless told: whoever sends an order again that is over buys twice. */
  idsTaken?: AccountOptions["idsTaken"];
  duplicates?: "rejected" | "passed on";
}

/** Buys when it holds nothing and never has. */
function buysOnce(quantity: string): Decide {
  return ({ portfolio, state }) =>
    state === null && portfolio.holdings.length === 0
      ? buy(quantity, { state: { hasBought: true } })
      : hold({ state: { hasBought: true } });
}

function trades(...items: PlanItem[]): Decision {
  return { ...hold(), signal: "LONG", items };
}

/** With the engine's end as its own. */
async function opened<T extends { troupe: EngineFixture }>(
  opening: Promise<T>,
): Promise<T & AsyncDisposable> {
  const one = await opening;
  return { ...one, [Symbol.asyncDispose]: () => one.troupe[Symbol.asyncDispose]() };
}
