import { Decimal } from "#domain/decimal.ts";
import {
  BTC,
  fillOf,
  fold,
  identityOf,
  ledgerOf,
  numberText,
  viewOf,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import recorded from "../../fixtures/known-answers/position-sequences.json" with { type: "json" };

const fillSchema = z.object({
  side: z.enum(["buy", "sell"]),
  qty: numberText,
  price: numberText,
  fee: numberText.optional(),
});
const expectedSchema = z.strictObject({
  signed_qty: numberText.optional(),
  avg_entry: numberText.optional(),
  avg_entry_before_close: numberText.optional(),
  avg_exit: numberText.optional(),
  realized_pnl: numberText.optional(),
  realized_return: numberText.optional(),
  unrealized_pnl: numberText.optional(),
  total_pnl: numberText.optional(),
  fees_total: numberText.optional(),
});
const file = z
  .object({
    sequences: z.array(
      z.object({
        id: z.string(),
        fills: z.array(fillSchema),
        last_price: numberText.optional(),
        expected_final: expectedSchema,
      }),
    ),
    equity_curve_cases: z.array(
      z.object({
        id: z.string(),
        start_cash: numberText,
        fills: z.array(
          fillSchema.extend({
            mark_price_after: numberText,
            expected_equity: numberText,
            recomputed_signed_qty: numberText,
          }),
        ),
      }),
    ),
  })
  .parse(recorded);

// Bought and sold coins and contracts alike: both ledgers keep the same position and results.
const MARKETS = ["perpetual", "spot"] as const;

describe.each(MARKETS)("netting fills on %s", (marketType) => {
  test.each(file.sequences)("$id ends as recorded", ({ fills, last_price, expected_final }) => {
    const { ledger, legs } = fold(ledgerOf(marketType, "10000000"), fills.map(toFill));
    const lastPrice = last_price ?? fills.at(-1)?.price ?? "0";
    const view = viewOf(ledger, { [BTC]: lastPrice });
    const closing = legs.filter(({ kind }) => kind === "close");
    const exits = sum(closing.map(({ notionalExit }) => notionalExit ?? "0"));
    const entries = sum(closing.map(({ notionalEntry }) => notionalEntry));
    const closed = sum(closing.map(({ quantity }) => quantity));

    const actual = {
      signed_qty: view.holdings[0]?.quantity ?? "0",
      avg_entry: view.holdings[0]?.entryPrice,
      avg_entry_before_close: entries.div(closed).toString(),
      avg_exit: exits.div(closed).toString(),
      realized_pnl: ledger.realizedPnl,
      realized_return: exits.minus(entries).div(entries).toString(),
      unrealized_pnl: view.unrealizedPnl,
      total_pnl: sum([ledger.realizedPnl, view.unrealizedPnl]).toString(),
      fees_total: ledger.feesPaid,
    };
    for (const [name, expected] of Object.entries(expected_final)) {
      const value = Object.entries(actual).find(([key]) => key === name)?.[1];
      expect(Number(value), name).toBeCloseTo(Number(expected), 8);
    }
    expect(view.totalValue).toBe(identityOf(ledger, view));
  });

  test.each(file.equity_curve_cases)("$id has the recorded equity after every fill", (curve) => {
    let { ledger } = fold(ledgerOf(marketType, curve.start_cash), []);
    for (const step of curve.fills) {
      ledger = fold(ledger, [toFill(step)]).ledger;
      const view = viewOf(ledger, { [BTC]: step.mark_price_after });
      expect(view.totalValue).toBe(step.expected_equity);
      expect(view.holdings[0]?.quantity ?? "0").toBe(step.recomputed_signed_qty);
      expect(view.totalValue).toBe(identityOf(ledger, view));
    }
  });
});

function toFill({ side, qty, price, fee }: z.infer<typeof fillSchema>) {
  return fillOf(side === "buy" ? "BUY" : "SELL", qty, {
    price,
    fee: { amount: fee ?? "0", currency: "quote" },
  });
}

function sum(values: readonly string[]): Decimal {
  return values.reduce((total, one) => total.plus(one), new Decimal(0));
}
