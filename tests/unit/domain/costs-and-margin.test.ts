import { feeOn, volumeShareSlippage } from "#domain/costs.ts";
import { ONE, divide, fixed, fixedString } from "#domain/fixed.ts";
import { initialMargin, maintenanceMargin } from "#domain/perpetual.ts";
import { BTC, fillOf, fold, ledgerOf, numberText, viewOf } from "#support/domain-kit.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import recorded from "../../fixtures/known-answers/fees-margin-inverse-slippage.json" with { type: "json" };

const { cases } = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.record(z.string(), z.union([z.boolean(), numberText])),
        expected: z.record(z.string(), numberText),
      }),
    ),
  })
  .parse(recorded);

type Case = (typeof cases)[number];

// The product trades linear contracts. An inverse contract is a linear one seen from the other
// currency: 100 000 contracts of one dollar, at a price of 1 ÷ 11 450.50 coins each.
const BY_ID: Record<string, (one: Case) => void> = {
  "nt-comm-inverse-maker-btc": inverseFee,
  "nt-comm-inverse-taker-btc": inverseFee,
  "nt-comm-fx-taker": linearFee(2),
  "nt-comm-usdjpy-taker": linearFee(0),
  "nt-inverse-upnl-short-loss": inverseResult,
  "nt-inverse-upnl-long": inverseResult,
  "nt-margin-init-lev10": (one) => {
    const notional = times(text(one, "qty"), text(one, "price"));
    // The venue of this case asks for a fraction of the initial margin.
    const margin = feeOn(initialMargin(notional, amount(one, "leverage")), fix(one, "margin_init"));
    expectClose(margin, text(one, "margin", "expected"));
  },
  "nt-margin-init-inverse": (one) => {
    const margin = initialMargin(coins(one), amount(one, "leverage"));
    expectClose(feeOn(margin, fix(one, "margin_init")), text(one, "margin", "expected"));
  },
  "nt-margin-maint-inverse-lev10": (one) => {
    // This venue takes the maintenance rate of the notional divided by the leverage.
    const base = initialMargin(coins(one), amount(one, "leverage"));
    const margin = maintenanceMargin(base, { rate: fix(one, "margin_maint"), amount: 0n });
    expectClose(margin, text(one, "margin", "expected"));
  },
  "nt-margin-maint-fx-lev50": (one) => {
    const base = initialMargin(
      times(text(one, "qty"), text(one, "price")),
      amount(one, "leverage"),
    );
    const margin = maintenanceMargin(base, { rate: fix(one, "margin_maint"), amount: 0n });
    expectClose(margin, text(one, "margin", "expected"));
  },
  // Market orders lock nothing; what they take is what a resting order would have locked.
  "nt-locked-buy": (one) => {
    const fill = fillOf("BUY", text(one, "qty"), { price: text(one, "price") });
    const { ledger } = fold(ledgerOf("spot", "1000000"), [fill]);
    expect(1_000_000 - Number(ledger.cash)).toBe(Number(text(one, "locked", "expected")));
  },
  "nt-locked-sell": (one) => {
    const quantity = text(one, "qty");
    const buy = fillOf("BUY", quantity, { price: text(one, "price") });
    const sell = fillOf("SELL", quantity, { price: text(one, "price") });
    const { ledger, legs } = fold(ledgerOf("spot", "1000000"), [buy, sell]);
    expect(legs[1]?.quantity).toBe(text(one, "locked", "expected"));
    expect(ledger.positions).toEqual({});
  },
  "nt-cash-deltas-buy": (one) => {
    const fill = fillOf("BUY", text(one, "qty"), { price: text(one, "price") });
    const { ledger } = fold(ledgerOf("spot", "0"), [fill]);
    expect(ledger.cash).toBe(text(one, "quote_delta", "expected"));
    expect(ledger.positions[BTC]?.quantity).toBe(text(one, "base_delta", "expected"));
  },
  "lean-slippage-volshare-high": (one) => {
    const slippage = volumeShareSlippage({
      price: fix(one, "price"),
      quantity: fix(one, "order_qty"),
      barVolume: fix(one, "bar_volume"),
      volumeLimit: fix(one, "volume_limit"),
      priceImpact: fix(one, "price_impact"),
    });
    expectClose(slippage, text(one, "slippage_per_unit", "expected"));
  },
  "lean-binance-fee-short-limit": linearFee(18),
  "lean-binance-fee-long": (one) => {
    expectClose(feeOn(fix(one, "qty"), fix(one, "fee_rate")), text(one, "fee", "expected"));
  },
  "lean-initial-margin-btcusd-inverse": (one) => {
    const dollars = times(text(one, "qty"), text(one, "multiplier"));
    const margin = initialMargin(dollars, amount(one, "leverage"));
    expect(text(one, "margin", "expected")).toMatch(new RegExp(`^${fixedString(margin)} `));
  },
};

test.each(cases)("$id gives the recorded amount", (one) => {
  const check = BY_ID[one.id];
  expect(check, `no check for ${one.id}`).toBeDefined();
  check?.(one);
});

test("a bar without volume slips by the limit", () => {
  const trade = { price: fixed("100"), quantity: ONE, barVolume: 0n };
  const limits = { volumeLimit: fixed("0.025"), priceImpact: fixed("0.1") };
  expect(fixedString(volumeShareSlippage({ ...trade, ...limits }))).toBe("0.00625");
});

test("maintenance margin is never negative", () => {
  expect(maintenanceMargin(fixed("10"), { rate: fixed("0.01"), amount: ONE })).toBe(0n);
});

function inverseFee(one: Case): void {
  const notional = divide(fix(one, "qty_contracts_usd"), fix(one, "price"));
  expectClose(feeOn(notional, fix(one, "fee_rate")), text(one, "fee", "expected"));
}

function linearFee(places: number) {
  return (one: Case): void => {
    const notional = times(text(one, "qty"), text(one, "price"));
    const fee = Number(fixedString(feeOn(notional, fix(one, "fee_rate"))));
    const unit = 10 ** -Math.min(places, 8);
    const rounded = Math.round(fee / unit + 1e-9) * unit;
    expect(rounded).toBeCloseTo(Number(text(one, "fee", "expected")), 8);
  };
}

function inverseResult(one: Case): void {
  // Long coins against dollars is short dollars against coins.
  const side = text(one, "side") === "short" ? "BUY" : "SELL";
  const price = fixedString(divide(ONE, fix(one, "entry")));
  const fill = fillOf(side, text(one, "contracts_usd"), { price });
  const { ledger } = fold(ledgerOf("perpetual", "0"), [fill]);
  const view = viewOf(ledger, { [BTC]: fixedString(divide(ONE, fix(one, "last"))) });
  expect(Number(view.unrealizedPnl)).toBeCloseTo(Number(text(one, "unrealized", "expected")), 8);
  const notional = one.expected["notional"];
  if (notional !== undefined) expect(Number(view.grossExposure)).toBeCloseTo(Number(notional), 8);
}

function coins(one: Case): bigint {
  return divide(fix(one, "contracts_usd"), fix(one, "price"));
}

function text(one: Case, name: string, part: "input" | "expected" = "input"): string {
  return String(one[part][name]);
}

function fix(one: Case, name: string): bigint {
  return fixed(text(one, name));
}

function amount(one: Case, name: string): number {
  return Number(text(one, name));
}

function times(left: string, right: string): bigint {
  return feeOn(fixed(left), fixed(right));
}

function expectClose(actual: bigint, expected: string): void {
  expect(Number(fixedString(actual))).toBeCloseTo(Number(expected), 8);
}
