import { Decimal } from "#domain/decimal.ts";
import { BTC, fillOf, fold, identityOf, ledgerOf, viewOf } from "#support/domain-kit.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import recorded from "../../fixtures/known-answers/base-currency-fees.json" with { type: "json" };

const expectedSchema = z.strictObject({
  signed_qty: z.string(),
  filled_qty: z.string().optional(),
  fees: z.strictObject({ base: z.string() }).optional(),
});
const { cases } = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        instrument: z.enum(["spot", "perpetual"]),
        fills: z.array(
          z.object({
            side: z.enum(["buy", "sell"]),
            qty: z.string(),
            price: z.string(),
            fee: z.object({ amount: z.string(), currency: z.enum(["base", "quote"]) }),
            expected_after: expectedSchema.optional(),
          }),
        ),
        expected: expectedSchema,
      }),
    ),
  })
  .parse(recorded);

test.each(cases)("$id holds the recorded quantity", ({ instrument, fills, expected }) => {
  let ledger = ledgerOf(instrument, "1000000");
  for (const { side, qty, price, fee, expected_after } of fills) {
    const fill = fillOf(side === "buy" ? "BUY" : "SELL", qty, { price, fee });
    ledger = fold(ledger, [fill]).ledger;
    if (expected_after !== undefined) expectSame(quantityOf(ledger), expected_after.signed_qty);
  }
  expectSame(quantityOf(ledger), expected.signed_qty);

  const filled = Decimal.sum(...fills.map(({ qty }) => qty));
  if (expected.filled_qty !== undefined) expectSame(filled.toFixed(), expected.filled_qty);
  if (expected.fees !== undefined) {
    expectSame(filled.minus(quantityOf(ledger)).toFixed(), expected.fees.base);
  }
  const view = viewOf(ledger, { [BTC]: fills[0]?.price ?? "1" });
  expect(view.totalValue).toBe(identityOf(ledger, view));
});

test("a fee in coins is booked at what the coins are worth", () => {
  const fill = fillOf("BUY", "1", { price: "50000", fee: { amount: "0.001", currency: "base" } });
  const { ledger } = fold(ledgerOf("spot", "60000"), [fill]);

  expect(ledger).toMatchObject({ cash: "10000", feesPaid: "50", realizedPnl: "-50" });
  expect(ledger.positions[BTC]).toMatchObject({ quantity: "0.999", cost: "49950" });
});

test("a spot sell that pays its fee in coins takes them out of the position", () => {
  const buy = fillOf("BUY", "2", { price: "100" });
  const sell = fillOf("SELL", "1", { price: "110", fee: { amount: "0.1", currency: "base" } });
  const { ledger } = fold(ledgerOf("spot", "200"), [buy, sell]);

  expect(ledger).toMatchObject({ cash: "110", feesPaid: "11", realizedPnl: "0" });
  expect(ledger.positions[BTC]).toMatchObject({ quantity: "0.9", cost: "90" });
});

function quantityOf(ledger: ReturnType<typeof ledgerOf>): string {
  return ledger.positions[BTC]?.quantity ?? "0";
}

function expectSame(actual: string, expected: string): void {
  expect(new Decimal(actual).toFixed()).toBe(new Decimal(expected).toFixed());
}
