import { expect, test } from "vitest";
import { convictionParamsSchema } from "#decisions/conviction-params.ts";
import { momentumParamsSchema } from "#decisions/momentum-params.ts";
import { purchaseRange as entryRange } from "#decisions/momentum-bracket.ts";
import { generateSignal, purchaseRange } from "#decisions/signal.ts";
import { orderSizes } from "#domain/order-size.ts";

const FIVE = [{ minNotional: "5" }];
const RANGE = { smallest: 0.002, largest: 0.01 };

test.each([
  ["2500", "none"],
  ["2499.99", "some"],
  ["500", "some"],
  ["499.99", "all"],
])("with purchases of 0.2 to 1 % and a balance of %s, too small are: %s", (balance, tooSmall) => {
  expect(orderSizes(balance, RANGE, FIVE).tooSmall).toBe(tooSmall);
});

test("the balances from which on purchases are large enough are known", () => {
  expect(orderSizes("300", RANGE, FIVE)).toMatchObject({
    smallestOrder: "5",
    smallestPurchase: "0.6",
    largestPurchase: "3",
    balanceForSome: "500",
    balanceForAll: "2500",
  });
});

test("a venue without a least order takes anything, the most lenient symbol counts", () => {
  expect(orderSizes("1", RANGE, [{ minNotional: null }]).tooSmall).toBe("none");
  expect(orderSizes("1", RANGE, []).tooSmall).toBe("none");
  const lenient = [{ minNotional: "100" }, { minNotional: "5" }];
  expect(orderSizes("2500", RANGE, lenient).tooSmall).toBe("none");
});

test("no purchase of the conviction agent is outside of the range it states", () => {
  const params = convictionParamsSchema.parse({ acceleration_multiplier_max: 3 });
  const { smallest, largest } = purchaseRange(params);
  expect(smallest).toBe(0.002);
  expect(largest).toBeCloseTo(0.015, 12);
  for (const conviction of [50, 75, 100]) {
    for (const bullishCount of [0, 30, 1_000]) {
      const facts = { fearGreed: null, change24hPct: null, positionRatio: 0 };
      const scope = { params, breakerScope: "buys_only" } as const;
      const { size } = generateSignal({ conviction, bullishCount, ...facts, ...scope });
      expect(size).toBeGreaterThanOrEqual(smallest);
      expect(size).toBeLessThanOrEqual(largest);
    }
  }
});

test("entries of the momentum agent are its risk over the stop's distance, within its leverage", () => {
  const params = momentumParamsSchema.parse({});
  expect(entryRange(params).smallest).toBeCloseTo((2 * 0.3) / 10, 12);
  expect(entryRange(params).largest).toBe(params.max_leverage);
});
