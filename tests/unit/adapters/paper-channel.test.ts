import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { BarVolumes, stillTaken } from "#domain/bar-volumes.ts";
import { fixed } from "#domain/fixed.ts";
import type { MarketSnapshot, Quote } from "#domain/market.ts";
import type { ExecutionReport, Order } from "#domain/trading.ts";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createPaperChannel } from "#adapters/paper-channel.ts";
import type { LotRules, PaperProfile } from "#adapters/paper-channel.ts";

const AT = Date.UTC(2020, 0, 10);
const HOUR_MS = 3_600_000;
const NO_RULES: LotRules = {
  quantityStep: null,
  minQuantity: null,
  maxQuantity: null,
  minNotional: null,
};

test("a market buy fills above the price and pays the taker fee in quote currency", () => {
  const report = fill({ side: "BUY", quantity: "2" }, { takerFeeRate: 0.001, slippageBps: 5 });
  expect(report).toEqual({
    instructionId: "instruction",
    status: "filled",
    fills: [
      {
        symbol: "BTC/USDT",
        side: "BUY",
        quantity: "2",
        price: "1000.5",
        fee: { amount: "2.001", currency: "quote" },
        at: AT,
        leverage: 1,
      },
    ],
    reason: null,
    exchangeOrderId: "paper-client",
  });
});

test("a market sell fills below the price", () => {
  const report = fill({ side: "SELL", action: "close_long" }, { slippageBps: 5 });
  expect(report.fills[0]?.price).toBe("999.5");
});

test("a sell of 1 at 1000 with a fee of 0.1 % costs what the known answer says", () => {
  const { input, expected } = knownAnswer("lean-binance-fee-short-limit");
  const report = fill(
    { side: "SELL", action: "close_long", quantity: input["qty"] ?? "" },
    { takerFeeRate: Number(input["fee_rate"]) },
    { price: input["price"] ?? "" },
  );
  expect(report.fills[0]?.fee).toEqual({ amount: expected["fee"], currency: "quote" });
});

test("a buy's fee is worth what the venue would take in base currency", () => {
  const { input, expected } = knownAnswer("lean-binance-fee-long");
  const report = fill(
    { quantity: input["qty"] ?? "" },
    { takerFeeRate: Number(input["fee_rate"]) },
    { price: input["price"] ?? "" },
  );
  const inBase = Number(report.fills[0]?.fee.amount) / Number(input["price"]);
  expect(inBase).toBe(Number(expected["fee"]));
});

test("slippage of a thousandth of a percent moves a price of 100 by the known answer", () => {
  const { input, expected } = knownAnswer("lean-slippage-volshare-high");
  const report = fill({ quantity: "1" }, { slippageBps: 0.1 }, { price: input["price"] ?? "" });
  expect(report.fills[0]?.price).toBe(`100${expected["slippage_per_unit"]?.slice(1)}`);
});

test("prices and fees are exact to the last decimal", () => {
  const report = fill(
    { quantity: "0.00001" },
    { takerFeeRate: 0.00045, slippageBps: 3 },
    { price: "17208.86" },
  );
  expect(report.fills[0]).toMatchObject({
    price: "17214.022658",
    fee: { amount: "0.000077463101961" },
  });
});

test("the same order in the same market has the same report", () => {
  const channel = createPaperChannel(profile({ slippageBps: 7 }));
  const run = () => channel.execute([order({}), order({ quantity: "3" })], market({}));
  expect(run()).toEqual(run());
});

test("orders are answered in their sequence and alone", () => {
  const channel = createPaperChannel(profile({}));
  const orders = [
    order({ instructionId: "a", priceMode: "limit" }),
    order({ instructionId: "b", symbol: "DOGE/USDT" }),
    order({ instructionId: "c" }),
  ];
  expect(synchronous(channel.execute(orders, market({}))).map(brief)).toEqual([
    ["a", "error"],
    ["b", "rejected"],
    ["c", "filled"],
  ]);
});

test("a limit order fills at the price when that is better than the limit", () => {
  const buy = fill({ priceMode: "limit", limitPrice: "1010" }, { slippageBps: 5 });
  expect(buy.fills[0]?.price).toBe("1000.5");
});

test("slippage never moves a limit order past its limit", () => {
  const limits = { slippageBps: 50 };
  const buy = fill({ priceMode: "limit", limitPrice: "1001" }, limits);
  const sell = fill(
    { side: "SELL", action: "close_long", priceMode: "limit", limitPrice: "999" },
    limits,
  );
  expect([buy, sell].map((report) => report.fills[0]?.price)).toEqual(["1001", "999"]);
});

test("a limit the price is not at is not reached, whatever the bar did before the order", () => {
  const touched = { low: "900", high: "1100" };
  const buy = fill({ priceMode: "limit", limitPrice: "950" }, {}, touched);
  const sell = fill({ side: "SELL", priceMode: "limit", limitPrice: "1050" }, {}, touched);
  expect(buy).toMatchObject({
    status: "rejected",
    fills: [],
    reason: "limit not reached: BUY at 950, price 1000",
  });
  expect(sell.reason).toBe("limit not reached: SELL at 1050, price 1000");
});

test("a limit order without a limit is an error", () => {
  expect(fill({ priceMode: "limit" })).toMatchObject({ status: "error", fills: [] });
});

test.each([
  ["0.0005", "quantity 0.0005 is not a multiple of the step 0.001"],
  ["0.001", "quantity 0.001 is below the minimum 0.002"],
  ["11", "quantity 11 is above the maximum 10"],
  ["0.004", "notional 4 is below the minimum 5"],
  ["0", "quantity 0 is not above 0"],
  ["-1", "quantity -1 is not above 0"],
  ["NaN", "quantity NaN is not above 0"],
])("an order of %s is rejected: %s", (quantity, reason) => {
  const rules = {
    quantityStep: "0.001",
    minQuantity: "0.002",
    maxQuantity: "10",
    minNotional: "5",
  };
  expect(fill({ quantity }, { defaultRules: rules })).toMatchObject({
    status: "rejected",
    fills: [],
    reason,
    exchangeOrderId: null,
  });
});

test("what is left of a position can be closed whatever the lot rules say", () => {
  const defaultRules = {
    ...NO_RULES,
    quantityStep: "0.01",
    minQuantity: "0.02",
    minNotional: "5",
    maxQuantity: "10",
  };
  const close = { side: "SELL", action: "close_long", reduceOnly: true } as const;
  expect(fill({ ...close, quantity: "0.001" }, { defaultRules }).status).toBe("filled");
  expect(fill({ ...close, quantity: "11" }, { defaultRules }).status).toBe("filled");
});

test("without a price nothing is filled, not even a closing order", () => {
  const channel = createPaperChannel(profile({}));
  const empty = { ...market({}), quotes: {} };
  for (const reduceOnly of [false, true]) {
    const [report] = synchronous(channel.execute([order({ reduceOnly })], empty));
    expect(report).toMatchObject({ status: "rejected", reason: "no price for BTC/USDT" });
  }
});

test("on a stale price nothing is opened but positions can be closed", () => {
  const stale: Partial<Quote> = { quality: "stale", at: AT - 50 * HOUR_MS };
  expect(fill({}, {}, stale)).toMatchObject({
    status: "rejected",
    reason: "price is stale (age 2 d 2 h)",
  });
  const closing = fill({ side: "SELL", action: "close_long", reduceOnly: true }, {}, stale);
  expect(closing.status).toBe("filled");
});

test("an order larger than its share of the bar is filled in part, in whole steps", () => {
  const defaultRules = { ...NO_RULES, quantityStep: "0.1" };
  const report = fill(
    { quantity: "5" },
    { maxVolumeShare: 0.1, defaultRules },
    { barVolume: "7.77" },
  );
  expect(report).toMatchObject({
    status: "partial",
    reason: "filled 0.7 of 5: at most 0.1 of the bar's volume 7.77",
    exchangeOrderId: "paper-client",
  });
  expect(report.fills[0]?.quantity).toBe("0.7");
});

test("an order within its share of the bar is filled whole", () => {
  expect(fill({ quantity: "1" }, { maxVolumeShare: 0.1 }, { barVolume: "10" })).toMatchObject({
    status: "filled",
    reason: null,
  });
});

test("in a bar without volume nothing is filled", () => {
  const report = fill({ quantity: "1" }, { maxVolumeShare: 0.1 }, { barVolume: "0" });
  expect(report).toMatchObject({
    status: "rejected",
    reason: "filled 0 of 1: at most 0.1 of the bar's volume 0",
  });
});

test.each([
  ["an entry", {}],
  ["an exit", { side: "SELL", action: "close_long", reduceOnly: true }],
] as const)("where the bar's volume is not known %s is filled whole", (_what, order) => {
  const report = fill({ ...order, quantity: "5" }, { maxVolumeShare: 0.1 }, { barVolume: null });
  expect(report).toMatchObject({ status: "filled", fills: [{ quantity: "5" }] });
});

test("a bar gives its share once, over all orders and cycles of a strategy", () => {
  const channel = createPaperChannel(profile({ maxVolumeShare: 0.1 }));
  const volumes = new BarVolumes(channel.terms.volumeShare);
  const seen = market({ barVolume: "1000" });
  const orders = [order({ quantity: "60" }), order({ quantity: "60" }), order({ quantity: "60" })];
  const reports = synchronous(channel.execute(orders, seen, { volumes, cash: null }));
  expect(reports.map(({ fills }) => fills[0]?.quantity)).toEqual(["60", "40", undefined]);
  expect(reports.map(({ reason }) => reason)).toEqual([
    null,
    "filled 40 of 60: at most 0.1 of the bar's volume 1000, of which 60 had been taken",
    "filled 0 of 60: at most 0.1 of the bar's volume 1000, of which 100 had been taken",
  ]);

  // A later cycle on the same bar finds it empty, one on the next bar does not.
  const later = new BarVolumes(channel.terms.volumeShare, volumes.remembered(seen));
  const [again] = synchronous(channel.execute(orders, seen, { volumes: later, cash: null }));
  expect(again?.status).toBe("rejected");
  const next = market({ barVolume: "1000", at: AT + HOUR_MS });
  const [fresh] = synchronous(channel.execute(orders, next, { volumes: later, cash: null }));
  expect(fresh?.status).toBe("filled");
  expect(later.remembered(next)).toEqual([
    { symbol: "BTC/USDT", barCloseAt: AT + HOUR_MS, quantity: "100" },
  ]);
  expect(stillTaken(volumes.remembered(seen), next)).toEqual([]);
  expect(stillTaken(volumes.remembered(seen), seen)).toEqual(volumes.remembered(seen));
});

test("nothing is bought with money that an earlier sale did not bring", () => {
  const channel = createPaperChannel(profile({ maxVolumeShare: 0.1, takerFeeRate: 0.001 }));
  const account = { volumes: new BarVolumes(channel.terms.volumeShare), cash: fixed("500") };
  const seen = market({ barVolume: "10" });
  const orders = [
    order({ side: "SELL", action: "close_long", reduceOnly: true, quantity: "3" }),
    order({ symbol: "ETH/USDT", quantity: "3" }),
    order({ symbol: "ETH/USDT", quantity: "1" }),
  ];
  const ether = { ...quoteIn(seen), symbol: "ETH/USDT", barVolume: "100" };
  const quotes = { ...seen.quotes, "ETH/USDT": ether };
  const reports = synchronous(channel.execute(orders, { ...seen, quotes }, account));
  expect(reports.map(({ status }) => status)).toEqual(["partial", "rejected", "filled"]);
  expect(reports[1]?.reason).toBe("costs 3003, the account has 1499");
});

test("leverage above the venue's is rejected, except to close", () => {
  const perpetual: Partial<PaperProfile> = { marketType: "perpetual", maxLeverage: 40 };
  expect(fill({ leverage: 41 }, perpetual).reason).toBe("leverage 41 is above the most allowed 40");
  expect(fill({ leverage: 41, reduceOnly: true }, perpetual).status).toBe("filled");
});

test("spot cannot be sold short", () => {
  const report = fill({ side: "SELL", action: "open_short" });
  expect(report).toMatchObject({ status: "rejected", reason: "spot cannot be sold short" });
});

test("the registry knows the bundled channels with their rules", () => {
  const registry = createChannelRegistry();
  expect(registry.list().map((channel) => [channel.name, channel.marketType])).toEqual([
    ["binance_perp", "perpetual"],
    ["binance_spot", "spot"],
    ["hyperliquid_perp", "perpetual"],
  ]);
  const spot = registry.get("binance_spot");
  expect(spot).toMatchObject({
    kind: "paper",
    maxLeverage: 1,
    takerFeeRate: 0.001,
    slippageRate: 0.0005,
  });
  expect(spot.rules("BTC/USDT")).toEqual({
    symbol: "BTC/USDT",
    quantityStep: "0.00001",
    minQuantity: "0.00001",
    maxQuantity: "9000",
    minNotional: "5",
  });
});

test("an unknown channel is refused with the known ones", () => {
  expect(() => createChannelRegistry().get("nowhere")).toThrow(
    expect.objectContaining({
      code: "UNKNOWN_CHANNEL",
      message:
        "expected one of the channels binance_perp, binance_spot, hyperliquid_perp, was nowhere",
    }),
  );
});

const brief = (report: ExecutionReport) => [report.instructionId, report.status];

function fill(
  changes: Partial<Order>,
  settings: Partial<PaperProfile> = {},
  quote: Partial<Quote> = {},
): ExecutionReport {
  const channel = createPaperChannel(profile(settings));
  const [report] = synchronous(channel.execute([order(changes)], market(quote)));
  if (report === undefined) throw new Error("no report");
  return report;
}

function synchronous(reports: ExecutionReport[] | Promise<ExecutionReport[]>): ExecutionReport[] {
  if (Array.isArray(reports)) return reports;
  throw new Error("the paper channel answers at once");
}

function order(changes: Partial<Order>): Order {
  return {
    instructionId: "instruction",
    index: 0,
    symbol: "BTC/USDT",
    action: "open_long",
    side: "BUY",
    quantity: "1",
    leverage: 1,
    priceMode: "market",
    limitPrice: null,
    reduceOnly: false,
    clientOrderId: "client",
    note: null,
    ...changes,
  };
}

function market(changes: Partial<Quote>): MarketSnapshot {
  const quote: Quote = {
    symbol: "BTC/USDT",
    price: "1000",
    at: AT,
    quality: "fresh",
    source: "test",
    low: "1000",
    high: "1000",
    barVolume: "100",
    ...changes,
  };
  return { at: AT, quotes: { "BTC/USDT": quote }, funding: [], facts: {} };
}

function quoteIn({ quotes }: MarketSnapshot): Quote {
  const quote = quotes["BTC/USDT"];
  if (quote === undefined) throw new Error("no quote");
  return quote;
}

function profile(changes: Partial<PaperProfile>): PaperProfile {
  return {
    name: "paper",
    marketType: "spot",
    maxLeverage: 1,
    takerFeeRate: 0,
    slippageBps: 0,
    maxVolumeShare: null,
    rules: {},
    defaultRules: NO_RULES,
    ...changes,
  };
}

function knownAnswer(id: string) {
  const values = z.record(z.string(), z.coerce.string());
  const file = z.object({
    cases: z.array(z.object({ id: z.string(), input: values, expected: values })),
  });
  const path = "tests/fixtures/known-answers/fees-margin-inverse-slippage.json";
  const found = file
    .parse(JSON.parse(readFileSync(path, "utf8")))
    .cases.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no known answer ${id}`);
  return found;
}
