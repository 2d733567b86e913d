import { clampWeights } from "#domain/exposure-limits.ts";
import { trailedStop, triggeredProtections } from "#domain/protections.ts";
import type { Quote } from "#domain/market.ts";
import { BTC, ETH, T0, fillOf, fold, ledgerOf, marketOf, quoteOf } from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import limitCases from "../../fixtures/known-answers/risk-limits.json" with { type: "json" };
import trailing from "../../fixtures/known-answers/trailing-stop.json" with { type: "json" };

const long = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]).ledger;
const short = fold(ledgerOf("perpetual"), [fillOf("SELL", "10")]).ledger;
const guard = (stopLoss: string | null, takeProfit: string | null) => [
  { symbol: BTC, stopLoss, takeProfit },
];
const check = (ledger: typeof long, protections: ReturnType<typeof guard>, quote: Partial<Quote>) =>
  triggeredProtections(
    protections,
    ledger,
    marketOf({ [BTC]: quoteOf(BTC, quote.price ?? "100", quote) }),
  );

describe("protections", () => {
  test("a stop reached by the low closes the whole position although the price came back", () => {
    expect(check(long, guard("95", null), { low: "94.9" })).toMatchObject([
      {
        symbol: BTC,
        reason: "stop_loss",
        item: { action: "close_long", quantity: "10", symbol: BTC },
      },
    ]);
  });

  test("a price exactly at the stop triggers, one above it does not", () => {
    expect(check(long, guard("95", null), { low: "95" })).toHaveLength(1);
    expect(check(long, guard("95", null), { low: "95.01" })).toEqual([]);
  });

  test("a take profit is reached by the high", () => {
    expect(check(long, guard("90", "110"), { high: "110" })).toMatchObject([
      { reason: "take_profit" },
    ]);
  });

  test("for a short the high is the danger and the low the goal", () => {
    expect(check(short, guard("105", "90"), { high: "105" })).toMatchObject([
      { reason: "stop_loss", item: { action: "close_short", quantity: "10" } },
    ]);
    expect(check(short, guard("105", "90"), { low: "90" })).toMatchObject([
      { reason: "take_profit" },
    ]);
  });

  test("when both were reached the stop wins", () => {
    const range = { low: "80", high: "120" };
    expect(check(long, guard("95", "110"), range)).toMatchObject([{ reason: "stop_loss" }]);
    const twice = [...guard(null, "110"), ...guard("95", null)];
    expect(check(long, twice, range)).toMatchObject([{ reason: "stop_loss" }]);
    expect(check(long, twice.toReversed(), range)).toMatchObject([{ reason: "stop_loss" }]);
  });

  test("a price that gapped over the stop triggers even if low and high are missing", () => {
    expect(check(long, guard("95", null), { price: "80", low: "0", high: "0" })).toHaveLength(1);
  });

  test("a stale quote still lets a position out", () => {
    expect(check(long, guard("95", null), { price: "90", quality: "stale" })).toHaveLength(1);
  });

  test("extremes from before the entry do not count", () => {
    expect(check(long, guard("95", null), { low: "90", at: T0 })).toEqual([]);
  });

  test("nothing triggers without a position, a quote or a price", () => {
    const other = [{ symbol: ETH, stopLoss: "1000", takeProfit: null }];
    expect(check(long, other, {})).toEqual([]);
    expect(triggeredProtections(guard("1000", null), long, marketOf({}))).toEqual([]);
    expect(check(long, guard("1000", null), { price: "NaN" })).toEqual([]);
    expect(check(long, guard(null, null), {})).toEqual([]);
  });
});

const sequences = z
  .object({
    sequences: z.array(
      z.object({
        id: z.string(),
        side: z.enum(["long", "short"]),
        steps: z.array(
          z.object({
            price: z.number(),
            distance_pct: z.number(),
            initial: z.boolean(),
            expected_stop: z.number(),
          }),
        ),
      }),
    ),
  })
  .parse(trailing).sequences;

describe("a trailing stop", () => {
  test.each(sequences)("$id moves in the favourable direction only", ({ side, steps }) => {
    let stop: string | null = null;
    for (const { price, distance_pct, initial, expected_stop } of steps) {
      // "initial" only ever sets a stop that is not there yet.
      if (!initial || stop === null) {
        const type = side === "long" ? "LONG" : "SHORT";
        stop = trailedStop(stop, { type, price: String(price), distance: distance_pct });
      }
      expect(Number(stop)).toBeCloseTo(expected_stop, 12);
    }
  });

  test("a price that is none leaves the stop where it is", () => {
    expect(trailedStop("95", { type: "LONG", price: "0", distance: 0.1 })).toBe("95");
  });
});

const clamps = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        weights: z.record(z.string(), z.number()),
        max_position_pct: z.number(),
        max_gross_exposure: z.number(),
        expected: z.record(z.string(), z.number()),
      }),
    ),
  })
  .parse(limitCases);

describe("exposure limits", () => {
  test.each(clamps.cases)("$id is clamped as recorded", (one) => {
    const limits = { maxPosition: one.max_position_pct, maxGross: one.max_gross_exposure };
    const clamped = clampWeights(one.weights, limits);
    expect(Object.keys(clamped)).toEqual(Object.keys(one.expected));
    for (const [symbol, weight] of Object.entries(one.expected)) {
      expect(clamped[symbol]).toBeCloseTo(weight, 12);
    }
  });
});
