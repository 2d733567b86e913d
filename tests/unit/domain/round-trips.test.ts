import { applyFunding } from "#domain/ledger.ts";
import type { Ledger } from "#domain/portfolio.ts";
import type { Fill } from "#domain/trading.ts";
import { BTC, HOUR, T0, fillOf, fold, identityOf, ledgerOf, viewOf } from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import dca from "../../fixtures/known-answers/freqtrade-dca-partial-exit.json" with { type: "json" };
import openClose from "../../fixtures/known-answers/freqtrade-open-close-value.json" with { type: "json" };

const inputSchema = z.object({
  exchange: z.enum(["binance", "kraken"]),
  is_short: z.boolean(),
  leverage: z.number(),
  amount: z.number(),
  open_rate: z.number(),
  close_rate: z.number(),
  fee_open: z.number(),
  fee_close: z.number(),
  trading_mode: z.enum(["spot", "margin", "futures"]),
  funding_fees_total: z.number(),
  interest_rate: z.number(),
  minutes_open: z.number(),
});
type RoundTrip = z.infer<typeof inputSchema>;
const roundTrips = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        input: inputSchema,
        expected: z.strictObject({
          open_value: z.number(),
          close_value: z.number(),
          profit_abs: z.number(),
          profit_ratio: z.number(),
        }),
      }),
    ),
  })
  .parse(openClose);

describe("a filled round trip", () => {
  // We borrow nothing: the interest of a margin trade is converted to one payment of that size.
  test.each(roundTrips.cases)("$id has the recorded values and profit", ({ input, expected }) => {
    const sign = input.is_short ? -1 : 1;
    const opened = fold(ledgerOf(input.trading_mode === "spot" ? "spot" : "perpetual"), [
      fillAt(input, { opening: true }),
    ]);
    const received = input.funding_fees_total - interestOf(input);
    const paid = received === 0 ? opened.ledger : pay(opened.ledger, received);
    const closed = fold(paid, [fillAt(input, { opening: false })]);

    const [entry] = opened.legs;
    const [exit] = closed.legs;
    const openValue = Number(entry?.notionalEntry) + sign * Number(entry?.feeCost);
    const closeValue = Number(exit?.notionalExit) - sign * Number(exit?.feeCost) + sign * received;
    const profit = Number(closed.ledger.realizedPnl);
    expect(openValue).toBeCloseTo(expected.open_value, 6);
    expect(closeValue).toBeCloseTo(expected.close_value, 6);
    expect(profit).toBeCloseTo(expected.profit_abs, 6);
    expect((profit / openValue) * input.leverage).toBeCloseTo(expected.profit_ratio, 6);
    expect(Number(exit?.realizedPnl) + received).toBeCloseTo(expected.profit_abs, 6);
    expect(closed.ledger.positions).toEqual({});
  });
});

const dcaSequences = z
  .object({
    sequences: z.array(
      z.object({
        id: z.string(),
        fee_rate: z.number(),
        end_profit: z.number(),
        end_profit_ratio: z.number(),
        steps: z.array(
          z.object({
            order: z.object({
              side: z.enum(["buy", "sell"]),
              amount: z.number(),
              price: z.number(),
            }),
            expected: z.strictObject({
              amount: z.number(),
              avg_entry: z.number(),
              stake: z.number(),
              cumulative_realized: z.number(),
              last_realized: z.number().nullable(),
              profit_ratio_on_total_invested: z.number().nullable(),
            }),
          }),
        ),
      }),
    ),
  })
  .parse(dca);

describe("averaging in and selling in parts", () => {
  test.each(dcaSequences.sequences)("$id realizes as recorded after every step", (sequence) => {
    let ledger = ledgerOf("spot", "10000");
    let realized = 0;
    let invested = 0;
    for (const [index, { order, expected }] of sequence.steps.entries()) {
      const booked = fold(ledger, [feeFill(order, sequence.fee_rate)]);
      ledger = booked.ledger;
      const [leg] = booked.legs;
      const sells = order.side === "sell";
      realized += Number(leg?.realizedPnl ?? 0);
      invested += sells ? 0 : Number(leg?.notionalEntry) + Number(leg?.feeCost);

      expect(realized).toBeCloseTo(expected.cumulative_realized, 6);
      if (sells) {
        expect(Number(leg?.realizedPnl)).toBeCloseTo(Number(expected.last_realized), 6);
        const ratio = Number(expected.profit_ratio_on_total_invested);
        expect(realized / invested).toBeCloseTo(ratio, 6);
      }
      // The source keeps amount and average of the last, full exit; a position is gone after it.
      if (index === sequence.steps.length - 1) {
        expect(ledger.positions).toEqual({});
        continue;
      }
      const [holding] = viewOf(ledger, { [BTC]: "10" }).holdings;
      expect(Number(holding?.quantity)).toBe(expected.amount);
      expect(Number(holding?.entryPrice)).toBeCloseTo(expected.avg_entry, 6);
      expect(Number(holding?.cost)).toBeCloseTo(expected.stake, 6);
    }
    const view = viewOf(ledger, {});
    expect(Number(ledger.realizedPnl)).toBeCloseTo(sequence.end_profit, 6);
    expect(Number(ledger.realizedPnl) / invested).toBeCloseTo(sequence.end_profit_ratio, 6);
    expect(view.totalValue).toBe(identityOf(ledger, view));
  });
});

function fillAt(input: RoundTrip, { opening }: { opening: boolean }): Fill {
  const price = opening ? input.open_rate : input.close_rate;
  const rate = opening ? input.fee_open : input.fee_close;
  return fillOf(opening === input.is_short ? "SELL" : "BUY", String(input.amount), {
    price: String(price),
    fee: { amount: (input.amount * price * rate).toFixed(10), currency: "quote" },
    at: opening ? T0 : T0 + input.minutes_open * 60_000,
    leverage: input.leverage,
  });
}

/** Binance charges each started hour, Kraken the opening and each started four hours. */
function interestOf(input: RoundTrip): number {
  if (input.trading_mode !== "margin") return 0;
  const hours = input.minutes_open / 60;
  const periods = input.exchange === "binance" ? Math.ceil(hours) / 24 : 1 + Math.ceil(hours / 4);
  // A short borrows coins and buys the interest back at the closing price and fee.
  if (input.is_short) {
    const coins = input.amount * input.interest_rate * periods;
    return coins * input.close_rate * (1 + input.fee_close);
  }
  const borrowed = (input.amount * input.open_rate * (input.leverage - 1)) / input.leverage;
  return borrowed * input.interest_rate * periods;
}

function pay(ledger: Ledger, received: number): Ledger {
  const quantity = Number(ledger.positions[BTC]?.quantity);
  const rate = (-received / quantity).toFixed(18);
  return applyFunding(ledger, { symbol: BTC, at: T0 + HOUR, rate, markPrice: "1" });
}

function feeFill(
  order: { side: "buy" | "sell"; amount: number; price: number },
  feeRate: number,
): Fill {
  const fee = (order.amount * order.price * feeRate).toFixed(8);
  return fillOf(order.side === "buy" ? "BUY" : "SELL", String(order.amount), {
    price: String(order.price),
    fee: { amount: fee, currency: "quote" },
  });
}
