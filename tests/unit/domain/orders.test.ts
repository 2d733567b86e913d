import { clientOrderIdOf, instructionIdOf } from "#domain/ids.ts";
import { closeAllItems } from "#domain/orders.ts";
import { SkipReason } from "#domain/plan-step.ts";
import type { PlanItem, TradeAction } from "#domain/trading.ts";
import {
  BTC,
  COMPOSE_ID,
  ETH,
  fillOf,
  fold,
  ledgerOf,
  plan,
  quoteOf,
  worstFills,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";

const SOL = "SOL-USDT";
const PRICES = { [BTC]: "100", [ETH]: "100", [SOL]: "100" };
const limits = (maxLeverage: number, rest: object = {}) => ({
  limits: { maxPositions: 5, maxLeverage, maxPositionQuantity: null, ...rest },
});

describe("identity and form of an order", () => {
  test("ids derive from the cycle and the place in the plan", () => {
    const items = [item("open_long", "1", ETH), item("open_long", "2", BTC)];
    const { orders } = plan(ledgerOf("spot"), PRICES, { items });
    expect(orders.map(({ index }) => index)).toEqual([0, 1]);
    expect(orders.map(({ instructionId }) => instructionId)).toEqual([
      instructionIdOf(COMPOSE_ID, 0),
      instructionIdOf(COMPOSE_ID, 1),
    ]);
    expect(orders[1]?.clientOrderId).toBe(clientOrderIdOf(instructionIdOf(COMPOSE_ID, 1)));
  });

  test("an order carries the item's reason and a market price mode", () => {
    const items = [{ ...item("open_long", "1"), rationale: "trend" }];
    const { orders } = plan(ledgerOf("spot"), PRICES, { items });
    expect(orders).toMatchObject([
      { note: "trend", priceMode: "market", limitPrice: null, side: "BUY", reduceOnly: false },
    ]);
  });

  test("no action leaves neither an order nor a complaint", () => {
    const items = [item("noop", "1")];
    expect(plan(ledgerOf("spot"), PRICES, { items })).toEqual({ orders: [], skipped: [] });
  });

  test.each(["0", "-1", "NaN", "", "0.0000000001"])("a quantity of %j leaves no order", (size) => {
    const items = [item("open_long", size)];
    expect(plan(ledgerOf("spot"), PRICES, { items })).toEqual({
      orders: [],
      skipped: [{ item: items[0], reason: SkipReason.noQuantity }],
    });
  });

  test("leverage stays within the strategy's limit and is 1 on spot", () => {
    const items = [{ ...item("open_long", "1"), leverage: 20 }];
    const leverageOn = (marketType: "spot" | "perpetual") =>
      plan(ledgerOf(marketType), PRICES, { items, ...limits(5) }).orders[0]?.leverage;
    expect(leverageOn("perpetual")).toBe(5);
    expect(leverageOn("spot")).toBe(1);
  });
});

describe("netting inside a plan", () => {
  const short = fold(ledgerOf("perpetual"), [fillOf("SELL", "10")]).ledger;

  test("opening the other way closes first, reduce-only and with a closing action", () => {
    const items = [item("open_long", "20")];
    const { orders } = plan(short, { [BTC]: "90" }, { items });
    expect(orders).toMatchObject([
      { action: "close_short", side: "BUY", quantity: "10", reduceOnly: true, index: 0 },
      { action: "open_long", side: "BUY", quantity: "20", reduceOnly: false, index: 1 },
    ]);
    const { ledger } = fold(short, worstFills(orders, { [BTC]: "90" }, { fee: 0, slippage: 0 }));
    expect(ledger).toMatchObject({ realizedPnl: "100", cash: "10100" });
    expect(ledger.positions[BTC]).toMatchObject({ quantity: "20", cost: "1800" });
  });

  test("two closes together close no more than is held", () => {
    const items = [item("close_short", "6"), item("close_short", "6")];
    const { orders } = plan(short, PRICES, { items });
    expect(orders.map(({ quantity }) => quantity)).toEqual(["6", "4"]);
  });

  test("closing what is not held leaves no order", () => {
    const items = [item("close_long", "1"), item("close_short", "1", ETH)];
    const { orders, skipped } = plan(short, PRICES, { items });
    expect(orders).toEqual([]);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      SkipReason.nothingToClose,
      SkipReason.nothingToClose,
    ]);
  });

  test("a close after an opening of the same symbol stays behind it", () => {
    const items = [item("open_long", "10"), item("close_long", "4"), item("close_long", "1", ETH)];
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "1", { symbol: ETH })]);
    const { orders } = plan(ledger, PRICES, { items });
    expect(orders.map(({ symbol, action, quantity }) => [symbol, action, quantity])).toEqual([
      [ETH, "close_long", "1"],
      [BTC, "open_long", "10"],
      [BTC, "close_long", "4"],
    ]);
  });

  test("three full-size buys together spend no more than the cash", () => {
    const items = [BTC, ETH, SOL].map((symbol) => item("open_long", "10", symbol));
    const ledger = ledgerOf("spot", "1000");
    const rates = { takerFeeRate: 0.001, slippageRate: 0.0025 };
    const { orders, skipped } = plan(ledger, PRICES, { items, ...rates });
    const after = fold(ledger, worstFills(orders, PRICES, { fee: 0.001, slippage: 0.0025 })).ledger;
    expect(Number(after.cash)).toBeGreaterThanOrEqual(0);
    expect(Number(after.cash)).toBeLessThan(1e-6);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      SkipReason.noBuyingPower,
      SkipReason.noBuyingPower,
    ]);
  });

  test("what a sale frees pays for a purchase named before it", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "100")]);
    const items = [item("open_long", "100", ETH), item("close_long", "100")];
    const { orders } = plan(ledger, PRICES, { items });
    expect(orders.map(({ symbol, quantity }) => [symbol, quantity])).toEqual([
      [BTC, "100"],
      [ETH, "100"],
    ]);
  });
});

describe("exits stay open", () => {
  test("a spot position larger than the cash can be reduced", () => {
    const { ledger } = fold(ledgerOf("spot", "1000"), [fillOf("BUY", "9")]);
    const { orders } = plan(ledger, PRICES, { items: [item("close_long", "4")] });
    expect(orders).toMatchObject([{ action: "close_long", quantity: "4", reduceOnly: true }]);
  });

  test("a leveraged position above its cap after a fall can be reduced", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "150", { leverage: 1.5 })]);
    const options = { items: [item("close_long", "50")], ...limits(1.5) };
    expect(plan(ledger, { [BTC]: "60" }, options).orders).toMatchObject([{ quantity: "50" }]);
  });

  test("caps above which a position stands neither shrink it nor block its reduction", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]);
    const capped = limits(1, { maxPositionQuantity: "4", maxPositions: 1 });
    const reduce = plan(ledger, PRICES, { items: [item("close_long", "5")], ...capped });
    expect(reduce.orders.map(({ quantity }) => quantity)).toEqual(["5"]);
    const grow = plan(ledger, PRICES, { items: [item("open_long", "1")], ...capped });
    expect(grow.orders).toEqual([]);
    expect(grow.skipped[0]?.reason).toBe(SkipReason.maxPositionQuantity);
  });

  test("the exchange's minimums do not make a remainder unclosable", () => {
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "0.003")]);
    const rules = { minNotional: "10", minQuantity: "0.01", quantityStep: "0.001" };
    const { orders } = plan(ledger, PRICES, { items: closeAllItems(ledger), rules });
    expect(orders).toMatchObject([{ quantity: "0.003", reduceOnly: true }]);
  });

  test("a reduction above the exchange's largest order is split, not cut", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "25")]);
    const rules = { maxQuantity: "10" };
    const { orders } = plan(ledger, PRICES, { items: closeAllItems(ledger), rules });
    expect(orders.map(({ quantity }) => quantity)).toEqual(["10", "10", "5"]);
    expect(new Set(orders.map(({ instructionId }) => instructionId)).size).toBe(3);
  });

  test("a reduction goes to the exchange on its step; a last crumb goes whole", () => {
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "1.005")]);
    const close = (quantity: string, of = ledger) =>
      plan(of, PRICES, { items: [item("close_long", quantity)], rules: { quantityStep: "0.01" } });
    expect(close("1.005").orders.map(({ quantity }) => quantity)).toEqual(["1"]);
    expect(close("0.001").skipped[0]?.reason).toBe(SkipReason.quantityStep);
    const crumb = fold(ledger, [fillOf("SELL", "1")]).ledger;
    expect(close("1", crumb).orders.map(({ quantity }) => quantity)).toEqual(["0.005"]);
  });

  test("a reduction needs no fresh price, and no price at all", () => {
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "9")]);
    const stale = { [BTC]: quoteOf(BTC, "50", { quality: "stale" }) };
    const options = { items: closeAllItems(ledger) };
    expect(plan(ledger, stale, options).orders).toMatchObject([{ quantity: "9" }]);
    expect(plan(ledger, {}, options).orders).toMatchObject([{ quantity: "9" }]);
  });

  test("everything held is closed by symbol", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [
      fillOf("SELL", "2", { symbol: ETH }),
      fillOf("BUY", "1"),
    ]);
    expect(closeAllItems(ledger)).toEqual([
      { symbol: BTC, action: "close_long", quantity: "1" },
      { symbol: ETH, action: "close_short", quantity: "2" },
    ]);
  });
});

describe("nothing new without the means", () => {
  test.each([
    ["no quote", {}],
    ["a stale quote", { [BTC]: quoteOf(BTC, "100", { quality: "stale" }) }],
    ["a price of 0", { [BTC]: "0" }],
  ])("nothing is opened with %s", (_reason, prices) => {
    const { orders, skipped } = plan(ledgerOf("spot"), prices, { items: [item("open_long", "1")] });
    expect(orders).toEqual([]);
    expect(skipped[0]?.reason).toBe(SkipReason.noFreshPrice);
  });

  test("a sale that may be refused for want of a fresh price pays for nothing", () => {
    const { ledger } = fold(ledgerOf("spot", "1000"), [fillOf("BUY", "10")]);
    const prices = { [BTC]: quoteOf(BTC, "100", { quality: "stale" }), [ETH]: "100" };
    const items = [item("close_long", "10"), item("open_long", "1", ETH)];
    const { orders, skipped } = plan(ledger, prices, { items });
    expect(orders.map(({ symbol }) => symbol)).toEqual([BTC]);
    expect(skipped[0]?.reason).toBe(SkipReason.noBuyingPower);
  });

  test("going short on spot sells what is held and no more", () => {
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "3")]);
    const { orders, skipped } = plan(ledger, PRICES, { items: [item("open_short", "5")] });
    expect(orders).toMatchObject([{ action: "close_long", side: "SELL", quantity: "3" }]);
    expect(skipped[0]?.reason).toBe(SkipReason.spotShort);
  });

  test("no more symbols are held than allowed, counting what the plan closes", () => {
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "1")]);
    const one = limits(1, { maxPositions: 1 });
    const open = item("open_long", "1", ETH);
    expect(plan(ledger, PRICES, { items: [open], ...one }).skipped[0]?.reason).toBe(
      SkipReason.maxPositions,
    );
    const swap = plan(ledger, PRICES, { items: [open, item("close_long", "1")], ...one });
    expect(swap.orders.map(({ symbol }) => symbol)).toEqual([BTC, ETH]);
  });

  test("leverage binds margin: without it a position costs its whole notional", () => {
    const open = (leverage: number) =>
      plan(ledgerOf("perpetual"), PRICES, {
        items: [{ ...item("open_long", "1000"), leverage }],
        ...limits(3),
      }).orders[0]?.quantity;
    expect(open(1)).toBe("100");
    expect(open(3)).toBe("300");
  });

  test("an opening is cut to the largest position and to the exchange's rules", () => {
    const open = (rules: object, rest: object = {}) =>
      plan(ledgerOf("spot"), PRICES, {
        items: [item("open_long", "3.456")],
        rules,
        ...limits(1, rest),
      });
    expect(open({}, { maxPositionQuantity: "2" }).orders[0]?.quantity).toBe("2");
    expect(open({ quantityStep: "0.1" }).orders[0]?.quantity).toBe("3.4");
    expect(open({ maxQuantity: "1.25", quantityStep: "0.1" }).orders[0]?.quantity).toBe("1.2");
    expect(open({ minQuantity: "4" }).skipped[0]?.reason).toBe(SkipReason.minQuantity);
    expect(open({ minNotional: "400" }).skipped[0]?.reason).toBe(SkipReason.minNotional);
    expect(open({ quantityStep: "5" }).skipped[0]?.reason).toBe(SkipReason.quantityStep);
  });

  test("a buy that fits exactly is not cut", () => {
    const items = [item("open_long", "10")];
    const { orders } = plan(ledgerOf("spot", "1000"), PRICES, { items });
    expect(orders[0]?.quantity).toBe("10");
  });

  test("a channel that rounds every amount up still leaves no debt", () => {
    const items = [item("open_long", "1000000")];
    for (let cents = 1; cents <= 200; cents++) {
      const ledger = ledgerOf("spot", (cents / 100).toFixed(2));
      const { orders } = plan(ledger, { [BTC]: "0.5" }, { items, takerFeeRate: 0.001 });
      const fills = worstFills(orders, { [BTC]: "0.5" }, { fee: 0.001, slippage: 0 });
      expect(fold(ledger, fills).ledger.cash).not.toMatch(/^-/);
    }
  });

  test("an account without equity opens nothing", () => {
    const broke = { ...ledgerOf("perpetual"), cash: "-5" };
    const { skipped } = plan(broke, PRICES, { items: [item("open_long", "1")] });
    expect(skipped[0]?.reason).toBe(SkipReason.noBuyingPower);
  });
});

function item(action: TradeAction, quantity: string, symbol = BTC): PlanItem {
  return { symbol, action, quantity };
}
