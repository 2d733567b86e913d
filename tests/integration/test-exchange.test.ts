import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { OrderReport } from "#domain/order-report.ts";
import type { Order } from "#domain/trading.ts";
import type { ExchangeChannel } from "#support/exchange/exchange-channel.ts";
import { type Behaviour, fromExchange, read } from "#support/exchange/messages.ts";
import { startExchange, type TestExchange } from "#support/exchange/test-exchange.ts";

const SYMBOL = "BTC/USDT";
const NOON = Date.UTC(2024, 0, 1, 12);
const signal = new AbortController().signal;

let exchange: TestExchange;
let channel: ExchangeChannel;
let reports: OrderReport[];
let accounts = 0;
let orders = 0;

beforeAll(async () => {
  exchange = await startExchange();
});

afterAll(() => exchange[Symbol.asyncDispose]());

// An account of its own for each test; the market is everybody's.
beforeEach(async () => {
  await exchange.moveMarket(NOON, { [SYMBOL]: "100" });
  accounts += 1;
  channel = await open({ timeoutMs: 300 });
  // The connection is up when it has answered once: only then do reports reach it.
  await channel.account(signal);
  reports = [];
  channel.onReport((report) => reports.push(report));
});

afterEach(async () => {
  await exchange.tell({ call: "behaveWell" });
  await channel[Symbol.asyncDispose]();
});

const name = (): string => `account-${accounts}`;

function open(
  options: { timeoutMs?: number } & Partial<Parameters<TestExchange["openAccount"]>[0]> = {},
): Promise<ExchangeChannel> {
  const { timeoutMs = 2_000, ...account } = options;
  return exchange.openChannel({ name: name(), marketType: "spot", ...account }, { timeoutMs });
}

function order(changes: Partial<Order> = {}): Order {
  orders += 1;
  return {
    instructionId: `instruction-${orders}`,
    index: 0,
    symbol: SYMBOL,
    action: "open_long",
    side: "BUY",
    quantity: "1",
    leverage: 1,
    priceMode: "market",
    limitPrice: null,
    reduceOnly: false,
    clientOrderId: `client-${orders}`,
    note: null,
    ...changes,
  };
}

const place = (placed: Order) => channel.place(placed, signal);
const find = (placed: Order) => channel.find(placed, signal);

/** Treats the next order so, and sends it. */
async function placeSo(as: Behaviour, placed = order()): Promise<OrderReport> {
  await exchange.behave(name(), "place", as);
  return place(placed);
}

/** Its orders in the book, refused ones left out. */
async function booked() {
  const { orders: all } = await exchange.book();
  return all.filter(({ account }) => account === name());
}

/** Waits until so many reports have come by themselves. */
async function heard(count: number): Promise<void> {
  await vi.waitFor(() => expect(reports).toHaveLength(count), { timeout: 5_000, interval: 5 });
}

describe("an order", () => {
  test("at the market is filled at once, at the price and time that the test set, for a fee", async () => {
    const report = await place(order({ quantity: "0.5" }));
    expect(report).toMatchObject({ status: "filled", reason: null });
    expect(report.fills).toEqual([
      {
        tradeId: expect.stringMatching(/^t-\d+$/),
        symbol: SYMBOL,
        side: "BUY",
        quantity: "0.5",
        price: "100",
        fee: { amount: "0.05", currency: "quote" },
        at: NOON,
        leverage: 1,
      },
    ]);
  });

  test("with a limit rests until the price trades through it, and fills at its limit", async () => {
    const resting = order({ priceMode: "limit", limitPrice: "90" });
    expect(await place(resting)).toMatchObject({ status: "open", fills: [] });
    expect(await channel.openOrders(signal)).toMatchObject([{ status: "open" }]);
    await exchange.moveMarket(NOON + 3_600_000, { [SYMBOL]: "90.5" });
    expect(await find(resting)).toMatchObject({ status: "open" });
    await exchange.moveMarket(NOON + 7_200_000, { [SYMBOL]: "80" });
    await heard(2);
    expect(reports[1]).toMatchObject({ status: "filled", fills: [{ price: "90" }] });
    expect(await channel.openOrders(signal)).toEqual([]);
  });

  test("that is cancelled keeps what it has filled", async () => {
    const resting = order();
    await placeSo({ fills: [{ share: "0.25", afterMs: 0 }] }, resting);
    const cancelled = await channel.cancel(resting, signal);
    expect(cancelled).toMatchObject({ status: "cancelled", fills: [{ quantity: "0.25" }] });
    expect(await find(resting)).toEqual(cancelled);
    expect(await channel.cancel(order(), signal)).toBeNull();
  });

  test("that its account cannot pay is refused", async () => {
    expect(await place(order({ quantity: "10001" }))).toMatchObject({
      status: "rejected",
      reason: "insufficient balance: 1000100 USDT",
    });
    expect(await booked()).toEqual([]);
  });

  test("as told is refused with the reason", async () => {
    const refused = order();
    const report = await placeSo({ refusal: "market is closed" }, refused);
    expect(report).toMatchObject({ status: "rejected", reason: "market is closed" });
    expect(await find(refused)).toBeNull();
  });

  test("as told is filled step by step, each told of when it happens", async () => {
    const fills = [
      { share: "0.2", afterMs: 0 },
      { share: "0.3", afterMs: 30 },
      { share: "0.5", afterMs: 30 },
    ];
    const first = await placeSo({ fills });
    expect(first).toMatchObject({ status: "open", fills: [{ quantity: "0.2" }] });
    await heard(4);
    expect(reports.map(({ fills, status }) => `${status} ${fills.length}`)).toEqual([
      "open 0",
      "open 1",
      "open 2",
      "filled 3",
    ]);
    const traded = reports[3]?.fills.map(({ tradeId }) => tradeId);
    expect(new Set(traded).size).toBe(3);
  });

  test("as told expires with the rest unfilled", async () => {
    const report = await placeSo({ fills: [{ share: "0.4", afterMs: 0 }], expires: true });
    expect(report).toMatchObject({ status: "expired", reason: "the rest expired" });
    expect(report.fills).toMatchObject([{ quantity: "0.4" }]);
  });

  test("that the test fills or ends by hand is told of", async () => {
    const [one, other] = [order(), order()];
    for (const resting of [one, other]) await placeSo({ fills: [] }, resting);
    const { clientOrderId } = one;
    await exchange.tell({ call: "fill", clientOrderId, quantity: "0.75" });
    await exchange.tell({ call: "expire", clientOrderId, reason: "end of day" });
    expect(await find(one)).toMatchObject({ status: "expired", fills: [{ quantity: "0.75" }] });
    await exchange.tell({ call: "fillAll" });
    expect(await find(other)).toMatchObject({ status: "filled" });
  });
});

describe("a client order id", () => {
  test("is taken for ever: sent again it is refused as a duplicate, which leaves the answer to find", async () => {
    const once = order();
    await place(once);
    await expect(place(once)).rejects.toThrow("duplicate");
    expect(await find(once)).toMatchObject({ status: "filled" });
    expect(await booked()).toHaveLength(1);
    expect((await exchange.book()).refusals).toContainEqual({
      account: name(),
      clientOrderId: once.clientOrderId,
      reason: "duplicate client order id",
    });
  });

  test("is free again once its order is closed, where told so: the same request buys twice", async () => {
    await channel[Symbol.asyncDispose]();
    channel = await open({ idsTaken: "while open" });
    const twice = order();
    await placeSo({ fills: [] }, twice);
    await expect(place(twice)).rejects.toThrow("duplicate");
    await exchange.tell({ call: "fillAll" });
    expect(await place(twice)).toMatchObject({ status: "filled" });
    expect(await booked()).toHaveLength(2);
  });
});

describe("an answer", () => {
  test("comes late", async () => {
    const started = performance.now();
    expect(await placeSo({ answerAfterMs: 100 })).toMatchObject({ status: "filled" });
    expect(performance.now() - started).toBeGreaterThan(99);
  });

  test("never comes for an order that was taken, which can be found", async () => {
    const silent = order();
    await expect(placeSo({ answer: "never" }, silent)).rejects.toThrow("timeout");
    expect(await find(silent)).toMatchObject({ status: "filled" });
  });

  test("never comes for an order that was lost", async () => {
    const lost = order();
    await expect(placeSo({ takenAfterMs: null }, lost)).rejects.toThrow("timeout");
    expect(await find(lost)).toBeNull();
    expect(await booked()).toEqual([]);
  });

  test("never comes for an order that is taken when nobody waits for it any more", async () => {
    const late = order();
    await expect(placeSo({ takenAfterMs: 400 }, late)).rejects.toThrow("timeout");
    expect(await find(late)).toBeNull();
    await heard(2);
    expect(await find(late)).toMatchObject({ status: "filled" });
  });

  test("comes twice over the socket, and counts once", async () => {
    const socket = new WebSocket(`${exchange.url}/trade?account=${name()}`);
    await once(socket, "open");
    const answers: unknown[] = [];
    socket.on("message", (data) => {
      const message = read(fromExchange, data);
      if ("id" in message) answers.push(message.id);
    });
    await exchange.behave(name(), "openOrders", { answer: "twice" });
    socket.send(JSON.stringify({ id: 7, call: "openOrders" }));
    await vi.waitFor(() => expect(answers).toEqual([7, 7]));
    socket.close();

    expect(await placeSo({ answer: "twice" })).toMatchObject({ status: "filled" });
    const next = order();
    expect(await place(next)).toMatchObject({ clientOrderId: next.clientOrderId });
  });

  test("says nothing of the order, as often as told", async () => {
    const known = order();
    await place(known);
    await exchange.behave(name(), "find", { answer: "error" }, { answer: "error" });
    await expect(find(known)).rejects.toThrow("unknown");
    await expect(find(known)).rejects.toThrow("unknown");
    expect(await find(known)).toMatchObject({ status: "filled" });
  });

  test("is nothing, though the order is there, when told so", async () => {
    const known = order();
    await placeSo({ fills: [] }, known);
    await exchange.behave(name(), "find", { answer: "nothing" });
    await exchange.behave(name(), "cancel", { answer: "nothing" });
    expect([await find(known), await channel.cancel(known, signal)]).toEqual([null, null]);
    expect(await find(known)).toMatchObject({ status: "cancelled" });
  });

  test("to find is nothing for an order that is there and not yet to be seen", async () => {
    const hidden = order();
    await placeSo({ hidden: { finds: 2, ms: 0 } }, hidden);
    expect(await booked()).toHaveLength(1);
    expect([await find(hidden), await find(hidden)]).toEqual([null, null]);
    expect(await find(hidden)).toMatchObject({ status: "filled" });
  });
});

describe("reports", () => {
  test("come twice when told so", async () => {
    await exchange.tell({ call: "deliver", account: name(), as: "twice" });
    await place(order());
    await heard(4);
    expect(reports.map(({ status }) => status)).toEqual(["open", "open", "filled", "filled"]);
  });

  test("come out of order when told so", async () => {
    await exchange.tell({ call: "deliver", account: name(), as: "held" });
    await placeSo({ fills: [0.5, 0.5].map((share) => ({ share: String(share), afterMs: 0 })) });
    expect(reports).toEqual([]);
    await exchange.tell({ call: "deliver", account: name(), as: "reversed" });
    await heard(3);
    expect(reports.map(({ fills }) => fills.length)).toEqual([2, 1, 0]);
  });

  test("do not come when told so", async () => {
    await exchange.tell({ call: "deliver", account: name(), as: "lost" });
    await place(order());
    await exchange.tell({ call: "deliver", account: name(), as: "normal" });
    await place(order());
    await heard(2);
    expect(new Set(reports.map(({ clientOrderId }) => clientOrderId)).size).toBe(1);
  });
});

describe("the connection", () => {
  test("breaks before an order is taken, and is opened anew", async () => {
    const lost = order();
    const breaks = { what: "connection", when: "before" } as const;
    await expect(placeSo({ breaks }, lost)).rejects.toThrow("ended");
    expect(await find(lost)).toBeNull();
  });

  test("breaks after an order was taken and before the answer", async () => {
    const taken = order();
    const breaks = { what: "connection", when: "after" } as const;
    await expect(placeSo({ breaks }, taken)).rejects.toThrow("ended");
    expect(await find(taken)).toMatchObject({ status: "filled" });
  });

  test("breaks when the exchange hangs up", async () => {
    const calls = async () => (await exchange.book()).calls["openOrders"] ?? 0;
    const before = await calls();
    await exchange.behave(name(), "openOrders", { answer: "never" });
    const asked = expect(channel.openOrders(signal)).rejects.toThrow("ended");
    await vi.waitFor(async () => expect(await calls()).toBe(before + 1));
    await exchange.tell({ call: "hangUp" });
    await asked;
    expect(await channel.openOrders(signal)).toEqual([]);
  });
});

describe("the exchange", () => {
  test("dies over an order and comes back with its book, ids, prices and fills to come", async () => {
    const [filled, slow, last] = [order(), order(), order()];
    await place(filled);
    await placeSo(
      { fills: [0.5, 0.5].map((share) => ({ share: `${share}`, afterMs: 300 })) },
      slow,
    );
    const breaks = { what: "process", when: "after" } as const;
    await expect(placeSo({ breaks }, last)).rejects.toThrow("ended");
    await expect(find(last)).rejects.toThrow();
    await exchange.comeBack();

    expect(await find(last)).toMatchObject({ status: "filled" });
    await expect(place(filled)).rejects.toThrow("duplicate");
    await vi.waitFor(async () => expect(await find(slow)).toMatchObject({ status: "filled" }), {
      timeout: 5_000,
    });
    const fills = (await booked()).flatMap((one) => one.fills);
    expect(fills.map(({ quantity }) => quantity)).toEqual(["1", "0.5", "0.5", "1"]);
    expect(new Set(fills.map(({ tradeId }) => tradeId)).size).toBe(4);
  });

  test("keeps balances of a spot account, what resting orders bind, and fees in what was bought", async () => {
    await channel[Symbol.asyncDispose]();
    channel = await open({ deposit: "1000", feeIn: "base" });
    await place(order({ quantity: "2" }));
    await place(order({ priceMode: "limit", limitPrice: "50" }));
    await place(order({ side: "SELL", quantity: "0.5", action: "close_long" }));
    expect(await channel.account(signal)).toEqual({
      balances: [
        { currency: "USDT", free: "799.95", reserved: "50" },
        { currency: "BTC", free: "1.498", reserved: "0" },
      ],
      positions: [],
      at: expect.any(Number),
    });
  });

  test("keeps positions of a perpetual account at their average entry", async () => {
    await channel[Symbol.asyncDispose]();
    channel = await open({ marketType: "perpetual", deposit: "1000" });
    await place(order({ side: "SELL", quantity: "1", action: "open_short" }));
    await exchange.moveMarket(NOON, { [SYMBOL]: "120" });
    await place(order({ side: "SELL", quantity: "1", action: "open_short" }));
    await place(order({ side: "BUY", quantity: "0.5", action: "close_short", reduceOnly: true }));
    expect(await channel.account(signal)).toMatchObject({
      // Lost 5 on half a coin, and fees of 0.1 % of 100, 120 and 60.
      balances: [{ currency: "USDT", free: "994.72", reserved: "0" }],
      positions: [{ symbol: SYMBOL, quantity: "-1.5", entryPrice: "110" }],
    });
  });

  test("lets a reduce-only order take away no more than there is", async () => {
    await channel[Symbol.asyncDispose]();
    channel = await open({ marketType: "perpetual" });
    const closing = () => order({ side: "SELL", quantity: "5", reduceOnly: true });
    expect(await place(closing())).toMatchObject({ status: "rejected" });
    await place(order({ quantity: "2" }));
    expect(await place(closing())).toMatchObject({ status: "expired", fills: [{ quantity: "2" }] });
    expect((await channel.account(signal)).positions).toEqual([]);
  });
});
