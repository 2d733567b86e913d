import { applyFill, applyTransfer, valuePortfolio } from "#domain/ledger.ts";
import { tradeIdOf } from "#domain/ids.ts";
import type { Ledger } from "#domain/portfolio.ts";
import {
  BTC,
  COMPOSE_ID,
  ETH,
  HOUR,
  T0,
  fillOf,
  fold,
  identityOf,
  ledgerOf,
  marketOf,
  quoteOf,
  viewOf,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";

describe("partial closes", () => {
  test("reducing a position twice realizes both parts", () => {
    const opened = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]).ledger;
    const once = fold(opened, [fillOf("SELL", "5", { price: "120" })]).ledger;
    expect(once).toMatchObject({ realizedPnl: "100", cash: "10100" });
    expect(viewOf(once, { [BTC]: "120" }).totalValue).toBe("10200");

    const twice = fold(once, [fillOf("SELL", "5", { price: "120" })]).ledger;
    expect(twice).toMatchObject({ realizedPnl: "200", cash: "10200", positions: {} });
    expect(viewOf(twice, { [BTC]: "120" }).totalValue).toBe("10200");
  });

  test("a round trip is won once, in however many parts it is closed", () => {
    const { ledger, legs } = fold(ledgerOf("perpetual"), [
      fillOf("BUY", "10"),
      fillOf("SELL", "2", { price: "110" }),
      fillOf("SELL", "2", { price: "120" }),
      fillOf("SELL", "2", { price: "130" }),
    ]);
    expect(legs.slice(1)).toMatchObject([
      { kind: "close", type: "LONG", entryPrice: "100", realizedPnl: "20" },
      { kind: "close", type: "LONG", entryPrice: "100", realizedPnl: "40" },
      { kind: "close", type: "LONG", entryPrice: "100", realizedPnl: "60" },
    ]);
    expect(ledger).toMatchObject({ winningTrades: 0, losingTrades: 0, totalTrades: 4 });
    expect(viewOf(ledger, { [BTC]: "130" }).holdings).toMatchObject([
      { quantity: "4", entryPrice: "100" },
    ]);
    const { ledger: flat } = fold(ledger, [fillOf("SELL", "4", { price: "90" })]);
    expect(flat).toMatchObject({ winningTrades: 1, losingTrades: 0, totalTrades: 5 });
  });

  test("a round trip is lost as a whole, whatever single parts of it have brought", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [
      fillOf("SELL", "10"),
      fillOf("BUY", "1", { price: "90" }),
      fillOf("BUY", "9", { price: "120" }),
    ]);
    expect(ledger).toMatchObject({ winningTrades: 0, losingTrades: 1, realizedPnl: "-170" });
  });

  test("what a position was cut by before it is flipped counts for the trip that ended, not the next", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [
      fillOf("BUY", "10"),
      fillOf("SELL", "5", { price: "150" }),
      fillOf("SELL", "10", { price: "99" }),
      fillOf("BUY", "5", { price: "100" }),
    ]);
    expect(ledger).toMatchObject({ winningTrades: 1, losingTrades: 1, positions: {} });
  });

  test("a third of a position takes a third of its cost and leaves the rest exactly", () => {
    const { ledger, legs } = fold(ledgerOf("spot"), [
      fillOf("BUY", "3", { price: "33.333333333333333333" }),
      fillOf("SELL", "1", { price: "40" }),
    ]);
    expect(legs[1]?.notionalEntry).toBe("33.333333333333333333");
    expect(ledger.positions[BTC]?.cost).toBe("66.666666666666666666");
  });
});

describe("a fill through zero", () => {
  const short = fold(ledgerOf("perpetual"), [fillOf("SELL", "10")]).ledger;
  const buy = fillOf("BUY", "15", {
    price: "90",
    at: T0 + HOUR,
    fee: { amount: "3", currency: "quote" },
  });

  test("closes the old position and opens the rest under one instruction", () => {
    const { ledger, legs } = applyFill(short, buy, { instructionId: COMPOSE_ID, fillIndex: 7 });
    expect(legs).toMatchObject([
      { legNumber: 1, kind: "close", type: "SHORT", quantity: "10", entryPrice: "100" },
      { legNumber: 2, kind: "open", type: "LONG", quantity: "5", entryPrice: "90" },
    ]);
    expect(new Set(legs.map(({ instructionId }) => instructionId))).toEqual(new Set([COMPOSE_ID]));
    expect(legs.map(({ tradeId }) => tradeId)).toEqual([
      tradeIdOf(COMPOSE_ID, 7, 1),
      tradeIdOf(COMPOSE_ID, 7, 2),
    ]);
    expect(ledger.positions[BTC]).toMatchObject({
      quantity: "5",
      cost: "450",
      entryAt: T0 + HOUR,
      entryFees: "1",
    });
  });

  test("splits its fee by quantity and counts as one trade", () => {
    const { ledger, legs } = fold(short, [buy]);
    expect(legs.map(({ feeCost }) => feeCost)).toEqual(["2", "1"]);
    expect(legs[0]).toMatchObject({ realizedPnl: "98", holdingMs: HOUR, exitPrice: "90" });
    expect(ledger).toMatchObject({ realizedPnl: "97", totalTrades: 2, winningTrades: 1 });
  });

  test("turning a short of 10 into a long of 20 realizes the short once", () => {
    const { ledger } = fold(short, [
      fillOf("BUY", "10", { price: "90" }),
      fillOf("BUY", "20", { price: "90" }),
    ]);
    expect(ledger).toMatchObject({ realizedPnl: "100", cash: "10100" });
    expect(ledger.positions[BTC]).toMatchObject({ quantity: "20", cost: "1800" });
  });
});

describe("fees", () => {
  test("an entry fee is booked at once and belongs to the trade's result when it closes", () => {
    const fee = { amount: "1", currency: "quote" } as const;
    const opened = fold(ledgerOf("spot"), [fillOf("BUY", "10", { fee })]);
    expect(opened.ledger).toMatchObject({ realizedPnl: "-1", feesPaid: "1", cash: "8999" });
    expect(opened.legs[0]).toMatchObject({ realizedPnl: null, feeCost: "1" });

    const closed = fold(opened.ledger, [fillOf("SELL", "5", { price: "110", fee })]);
    expect(closed.legs[0]).toMatchObject({ realizedPnl: "48.5", realizedPnlPct: "0.097" });
    expect(closed.ledger).toMatchObject({ realizedPnl: "48", feesPaid: "2" });
    expect(closed.ledger.positions[BTC]?.entryFees).toBe("0.5");
  });

  test("a gain smaller than its fees counts as a loss", () => {
    const fee = { amount: "2", currency: "quote" } as const;
    const { ledger } = fold(ledgerOf("spot"), [
      fillOf("BUY", "10", { fee }),
      fillOf("SELL", "10", { price: "100.3", fee }),
    ]);
    expect(ledger).toMatchObject({ winningTrades: 0, losingTrades: 1, realizedPnl: "-1" });
  });

  test("a maker's rebate is a negative fee", () => {
    const fee = { amount: "-0.5", currency: "quote" } as const;
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10", { fee })]);
    expect(ledger).toMatchObject({ realizedPnl: "0.5", cash: "10000.5", feesPaid: "-0.5" });
  });
});

describe("cash", () => {
  test("spot pays the notional and a perpetual only the result", () => {
    const fill = fillOf("BUY", "10");
    expect(fold(ledgerOf("spot"), [fill]).ledger.cash).toBe("9000");
    expect(fold(ledgerOf("perpetual"), [fill]).ledger.cash).toBe("10000");
  });

  test("a fully invested strategy has a cash of 0, not its initial balance", () => {
    const { ledger } = fold(ledgerOf("spot", "1000"), [fillOf("BUY", "10")]);
    const view = viewOf(ledger, { [BTC]: "100" });
    expect(view).toMatchObject({ cash: "0", buyingPower: "0", totalValue: "1000" });
  });

  test("a ledger that went through JSON goes on as if it had not", () => {
    const fills = [fillOf("BUY", "3", { price: "0.1" }), fillOf("SELL", "1", { price: "0.3" })];
    const { ledger } = fold(ledgerOf("spot"), fills);
    const restored: Ledger = structuredClone(ledger);
    const next = fillOf("SELL", "2", { price: "0.7" });
    expect(fold(restored, [next])).toEqual(fold(ledger, [next]));
  });
});

describe("positions", () => {
  test("entry time and average survive an increase; only a flip starts anew", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [
      fillOf("BUY", "1", { leverage: 2 }),
      fillOf("BUY", "3", { price: "200", at: T0 + HOUR, leverage: 4 }),
    ]);
    expect(ledger.positions[BTC]).toMatchObject({ cost: "700", entryAt: T0, leverage: 3.5 });
  });

  test("booking a fill leaves other positions and the old ledger alone", () => {
    const before = fold(ledgerOf("spot"), [fillOf("BUY", "1", { symbol: ETH })]).ledger;
    const frozen = structuredClone(before);
    const after = fold(before, [fillOf("BUY", "1")]).ledger;
    expect(after.positions[ETH]).toBe(before.positions[ETH]);
    expect(before).toEqual(frozen);
  });

  test.each([
    ["no quantity", fillOf("BUY", "0")],
    ["a negative quantity", fillOf("BUY", "-1")],
    ["no price", fillOf("BUY", "1", { price: "0" })],
    ["a price that is no number", fillOf("BUY", "1", { price: "NaN" })],
    ["a coin fee larger than what was bought", fillOf("BUY", "1", { fee: coins("2") })],
  ])("a fill with %s is refused", (_reason, fill) => {
    expect(() => fold(ledgerOf("spot"), [fill])).toThrow(
      expect.objectContaining({ code: "INVALID_INPUT" }),
    );
  });
});

describe("valuation", () => {
  const held = fold(ledgerOf("perpetual"), [fillOf("BUY", "10", { leverage: 2 })]).ledger;

  test("fractions, not percent, are stored", () => {
    const { ledger } = valuePortfolio(held, marketOf({ [BTC]: "75" }), { maxLeverage: 3 });
    const view = viewOf(held, { [BTC]: "75" });
    expect(view.holdings[0]).toMatchObject({ unrealizedPnl: "-250", unrealizedPnlPct: "-0.25" });
    expect(ledger.maxDrawdown).toBe("0.025");
  });

  test("exposure and buying power follow the marks", () => {
    const { ledger } = fold(held, [fillOf("SELL", "5", { symbol: ETH, price: "200" })]);
    expect(viewOf(ledger, { [BTC]: "110", [ETH]: "190" }, 3)).toMatchObject({
      grossExposure: "2050",
      netExposure: "150",
      unrealizedPnl: "150",
      totalValue: "10150",
      buyingPower: "28400",
    });
  });

  test("buying power is never negative", () => {
    expect(viewOf(held, { [BTC]: "1" }, 1).buyingPower).toBe("9000");
    expect(viewOf({ ...held, cash: "100" }, { [BTC]: "100" }, 1).buyingPower).toBe("0");
  });

  test("without a quote the last mark is kept and called stale", () => {
    const marked = valuePortfolio(held, marketOf({ [BTC]: "130" }), { maxLeverage: 1 }).ledger;
    const { view, ledger } = valuePortfolio(marked, marketOf({}), { maxLeverage: 1 });
    expect(view.holdings[0]).toMatchObject({ markPrice: "130", markQuality: "stale" });
    expect(view.totalValue).toBe("10300");
    expect(ledger.positions[BTC]).toBe(marked.positions[BTC]);
  });

  test.each(["0", "-1", "NaN", "nonsense"])("a price of %s is no price", (price) => {
    const view = viewOf(held, { [BTC]: price });
    expect(view.holdings[0]).toMatchObject({ markPrice: "100", markQuality: "stale" });
  });

  test("a stale quote values the position and says so", () => {
    const view = viewOf(held, { [BTC]: quoteOf(BTC, "120", { quality: "stale" }) });
    expect(view.holdings[0]).toMatchObject({ markPrice: "120", markQuality: "stale" });
  });

  test("equity at an unchanged mark is unchanged", () => {
    const market = marketOf({ [BTC]: "123.456789" });
    const first = valuePortfolio(held, market, { maxLeverage: 1 });
    const second = valuePortfolio(first.ledger, market, { maxLeverage: 1 });
    expect(second.view).toEqual(first.view);
    expect(second.ledger).toEqual(first.ledger);
  });

  test("holdings come by symbol and vanish when closed", () => {
    const both = fold(held, [fillOf("BUY", "1", { symbol: "AAVE-USDT" })]).ledger;
    expect(viewOf(both, {}).holdings.map(({ symbol }) => symbol)).toEqual(["AAVE-USDT", BTC]);
    const closed = fold(held, [fillOf("SELL", "10")]).ledger;
    expect(viewOf(closed, { [BTC]: "100" }).holdings).toEqual([]);
  });

  test("the drawdown is remembered after a recovery and the peak moves on", () => {
    const marks = ["120", "90", "150"].reduce(
      (ledger, price) =>
        valuePortfolio(ledger, marketOf({ [BTC]: price }), { maxLeverage: 1 }).ledger,
      held,
    );
    expect(marks.peakEquity).toBe("10500");
    expect(Number(marks.maxDrawdown)).toBeCloseTo(300 / 10_200, 15);
  });
});

describe("transfers", () => {
  test("a deposit is not a profit", () => {
    const ledger = applyTransfer(ledgerOf("spot"), "5000");
    const view = viewOf(ledger, {});
    expect(ledger).toMatchObject({ cash: "15000", externalTransfers: "5000", realizedPnl: "0" });
    expect(view.totalValue).toBe(identityOf(ledger, view));
  });

  test("a withdrawal is not a drawdown", () => {
    const ledger = applyTransfer(ledgerOf("spot"), "-9000");
    const valued = valuePortfolio(ledger, marketOf({}), { maxLeverage: 1 }).ledger;
    expect(valued).toMatchObject({ peakEquity: "1000", maxDrawdown: "0" });
  });

  test("a withdrawal below the peak leaves the drawdown's fraction as it was", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "100")]);
    const fallen = valuePortfolio(ledger, marketOf({ [BTC]: "75" }), { maxLeverage: 1 }).ledger;
    const smaller = applyTransfer(fallen, "-3750");
    const again = valuePortfolio(smaller, marketOf({ [BTC]: "75" }), { maxLeverage: 1 }).ledger;
    expect(again).toMatchObject({ maxDrawdown: "0.25", peakEquity: "5000" });
  });
});

function coins(amount: string) {
  return { amount, currency: "base" } as const;
}
