import { Decimal } from "#domain/decimal.ts";
import { fixedString } from "#domain/fixed.ts";
import { valuePortfolio } from "#domain/ledger.ts";
import type { MarketType, PlanItem, RiskLimits } from "#domain/trading.ts";
import {
  BTC,
  ETH,
  fillOf,
  fold,
  ledgerOf,
  marketOf,
  plan,
  worstFills,
} from "#support/domain-kit.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const SYMBOLS = [BTC, ETH, "SOL-USDT", "XRP-USDT"];
const RUNS = { numRuns: 400 };

const amountArb = (digits: number) =>
  fc.bigInt({ min: 1n, max: 10n ** BigInt(digits + 18) }).map(fixedString);
const itemArb: fc.Arbitrary<PlanItem> = fc.record({
  symbol: fc.constantFrom(...SYMBOLS),
  action: fc.constantFrom("open_long", "open_short", "close_long", "close_short", "noop"),
  quantity: amountArb(3),
  leverage: fc.integer({ min: 1, max: 10 }),
});
const pricesArb = fc.record(Object.fromEntries(SYMBOLS.map((symbol) => [symbol, amountArb(4)])));
const startsArb = fc.array(
  fc.record({
    symbol: fc.constantFrom(...SYMBOLS),
    side: fc.constantFrom("BUY" as const, "SELL" as const),
    quantity: amountArb(2),
    price: amountArb(4),
  }),
  { maxLength: 4 },
);
const limitsArb: fc.Arbitrary<RiskLimits> = fc.record({
  maxPositions: fc.integer({ min: 1, max: 4 }),
  maxLeverage: fc.integer({ min: 1, max: 10 }),
  maxPositionQuantity: fc.option(amountArb(2)),
});
const rates = { takerFeeRate: 0.001, slippageRate: 0.0025 };
const scenarioArb = fc.record({
  starts: startsArb,
  items: fc.array(itemArb, { maxLength: 8 }),
  prices: pricesArb,
  limits: limitsArb,
});
type Scenario = typeof scenarioArb extends fc.Arbitrary<infer T> ? T : never;

function start(marketType: MarketType, starts: Scenario["starts"], balance = "100000") {
  const fills = starts.map(({ side, quantity, ...rest }) =>
    fillOf(marketType === "spot" ? "BUY" : side, quantity, rest),
  );
  return fold(ledgerOf(marketType, balance), fills).ledger;
}

describe("a normalised plan", () => {
  test("never takes spot cash below zero, nor sells what is not held", () => {
    fc.assert(
      fc.property(scenarioArb, ({ starts, items, prices, limits }) => {
        const before = start("spot", starts, "4000000");
        fc.pre(!before.cash.startsWith("-"));
        const { orders } = plan(before, prices, { items, limits, ...rates });
        let ledger = before;
        for (const fill of worstFills(orders, prices, { fee: 0.001, slippage: 0.0025 })) {
          ledger = fold(ledger, [fill]).ledger;
          expect(ledger.cash).not.toMatch(/^-/);
          expect(ledger.positions[fill.symbol]?.quantity ?? "0").not.toMatch(/^-/);
        }
      }),
      RUNS,
    );
  });

  test("spends a small account to the last cent but no further", () => {
    fc.assert(
      fc.property(
        amountArb(3),
        fc.array(itemArb, { maxLength: 6 }),
        pricesArb,
        (cash, items, prices) => {
          const { orders } = plan(ledgerOf("spot", cash), prices, { items, ...rates });
          const { ledger } = fold(
            ledgerOf("spot", cash),
            worstFills(orders, prices, { fee: 0.001, slippage: 0.0025 }),
          );
          expect(ledger.cash).not.toMatch(/^-/);
        },
      ),
      RUNS,
    );
  });

  test("keeps a perpetual account within its leverage when it opens anything", () => {
    fc.assert(
      fc.property(scenarioArb, ({ items, prices, limits }) => {
        const before = ledgerOf("perpetual", "5000");
        const { orders } = plan(before, prices, { items, limits, ...rates });
        const fills = worstFills(orders, prices, { fee: 0.001, slippage: 0.0025 });
        const { view } = valuePortfolio(fold(before, fills).ledger, marketOf(prices), {
          maxLeverage: limits.maxLeverage,
        });
        const most = Number(view.totalValue) * limits.maxLeverage;
        expect(Number(view.grossExposure)).toBeLessThanOrEqual(most * (1 + 1e-9) + 1e-9);
        expect(view.holdings.length).toBeLessThanOrEqual(limits.maxPositions);
      }),
      RUNS,
    );
  });

  test("reduces exactly what was asked for, whatever the caps and the cash", () => {
    fc.assert(
      fc.property(scenarioArb, fc.boolean(), ({ starts, prices, limits }, priced) => {
        const ledger = start("perpetual", starts);
        const items = Object.values(ledger.positions).map((position): PlanItem => {
          const size = new Decimal(position.quantity);
          const action = size.isPositive() ? "close_long" : "close_short";
          const quantity = Decimal.max(size.abs().div(2).toDecimalPlaces(18), "1e-18").toFixed();
          return { symbol: position.symbol, action, quantity };
        });
        const { orders, skipped } = plan(ledger, priced ? prices : {}, { items, limits, ...rates });
        expect(skipped).toEqual([]);
        expect(orders.map(({ quantity }) => quantity)).toEqual(
          items.map(({ quantity }) => quantity),
        );
        expect(orders.every(({ reduceOnly }) => reduceOnly)).toBe(true);
      }),
      RUNS,
    );
  });

  test("puts the reduction of a symbol named once before every opening", () => {
    fc.assert(
      fc.property(scenarioArb, ({ starts, items, prices, limits }) => {
        const ledger = start("perpetual", starts);
        const { orders } = plan(ledger, prices, { items, limits, ...rates });
        const firstOpening = orders.findIndex(({ reduceOnly }) => !reduceOnly);
        // Named twice, a symbol may be added to and reduced: that reduction stays behind.
        const once = ({ symbol }: { symbol: string }) =>
          items.filter((one) => one.symbol === symbol && one.action !== "noop").length === 1;
        const late = firstOpening === -1 ? [] : orders.slice(firstOpening);
        expect(late.filter((order) => order.reduceOnly && once(order))).toEqual([]);
        expect(orders.map(({ index }) => index)).toEqual([...orders.keys()]);
      }),
      RUNS,
    );
  });

  test("does not care where among the items of other symbols a reduction stands", () => {
    fc.assert(
      fc.property(scenarioArb, fc.nat(8), ({ starts, items, prices, limits }, place) => {
        const ledger = start("perpetual", [
          ...starts,
          { symbol: BTC, side: "BUY", quantity: "1000", price: "1" },
        ]);
        const others = items.filter(({ symbol }) => symbol !== BTC);
        const close: PlanItem = { symbol: BTC, action: "close_long", quantity: "7" };
        const openings = (list: PlanItem[]) =>
          plan(ledger, prices, { items: list, limits, ...rates })
            .orders.filter(({ reduceOnly }) => !reduceOnly)
            .map(({ symbol, action, quantity }) => [symbol, action, quantity]);
        expect(openings(others.toSpliced(place, 0, close))).toEqual(openings([close, ...others]));
      }),
      RUNS,
    );
  });

  test("gives the same orders for the same cycle, and other ids for another", () => {
    fc.assert(
      fc.property(scenarioArb, ({ starts, items, prices, limits }) => {
        const ledger = start("perpetual", starts);
        const once = plan(ledger, prices, { items, limits, ...rates });
        expect(plan(ledger, prices, { items, limits, ...rates })).toEqual(once);
        const other = plan(ledger, prices, { items, limits, ...rates, composeId: "another" });
        const ids = new Set([...once.orders, ...other.orders].map((order) => order.instructionId));
        expect(ids.size).toBe(2 * once.orders.length);
      }),
      RUNS,
    );
  });
});
