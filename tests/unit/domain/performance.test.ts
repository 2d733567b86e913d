import { maxDrawdown } from "#domain/drawdown.ts";
import { DAY_MS, type EquityPoint } from "#domain/equity-curve.ts";
import {
  annualisedReturn,
  meanExposure,
  performanceOf,
  sharpeRatio,
  sortinoRatio,
  totalReturn,
  tradeStatistics,
} from "#domain/performance.ts";
import { ETH, T0, fillOf, fold, ledgerOf } from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import recorded from "../../fixtures/known-answers/performance-metrics.json" with { type: "json" };

const profits = z.object({
  trade_profits: z.array(z.number()),
  starting_balance: z.number().default(0),
});
const drawdownExpectation = z.object({
  absolute: z.number().optional(),
  absolute_from_start: z.number().optional(),
  relative_account: z.number().optional(),
  high_index: z.number().optional(),
  low_index: z.number().optional(),
});
const caseSchema = z.discriminatedUnion("metric", [
  z.object({
    id: z.string(),
    metric: z.literal("max_drawdown"),
    input: profits,
    expected: drawdownExpectation,
  }),
  z.object({
    id: z.string(),
    metric: z.literal("max_relative_drawdown"),
    input: profits,
    expected: drawdownExpectation,
  }),
  z.object({
    id: z.string(),
    metric: z.literal("expectancy"),
    input: profits,
    expected: z.object({ expectancy: z.number(), expectancy_ratio: z.number() }),
  }),
  z.object({
    id: z.string(),
    metric: z.literal("cagr"),
    input: z.object({ start: z.number(), end: z.number(), days: z.number() }),
    expected: z.object({ cagr_rounded4: z.number() }),
  }),
]);
const { cases } = z.object({ cases: z.array(caseSchema) }).parse(recorded);
type Case = (typeof cases)[number];

// Excluded on purpose: `absolute_freqtrade` of ft-dd-all-losing measures from the first trade's result;
// ours measures from the start, which the same case gives as `absolute_from_start`.
describe("recorded metrics", () => {
  test.each(cases)("$id ($metric) has the recorded value", (one) => checkCase(one));
});

function checkCase(one: Case): void {
  if (one.metric === "cagr") {
    const { start, end, days } = one.input;
    const points = [pointAt(0, start), pointAt(days, end)];
    expect(annualisedReturn(points)).toBeCloseTo(one.expected.cagr_rounded4, 4);
    return;
  }
  if (one.metric === "expectancy") {
    const statistics = tradeStatistics(one.input.trade_profits);
    expect(statistics.expectancy).toBeCloseTo(one.expected.expectancy, 8);
    expect(statistics.expectancyRatio).toBeCloseTo(one.expected.expectancy_ratio, 8);
    return;
  }
  const fall = maxDrawdown(
    curveOf(one.input),
    one.metric === "max_drawdown" ? "amount" : "fraction",
  );
  const { expected } = one;
  expect(fall?.amount).toBeCloseTo(expected.absolute ?? expected.absolute_from_start ?? NaN, 8);
  if (expected.relative_account !== undefined) {
    expect(fall?.fraction).toBeCloseTo(expected.relative_account, 6);
  }
  // Point 0 is the start; the file counts trades from 0.
  if (expected.high_index !== undefined) expect(fall?.peakIndex).toBe(expected.high_index + 1);
  if (expected.low_index !== undefined) expect(fall?.troughIndex).toBe(expected.low_index + 1);
}

describe("returns", () => {
  test("nothing is annualised before 30 days", () => {
    expect(annualisedReturn([pointAt(0, 100), pointAt(29, 101)])).toBeNull();
    expect(annualisedReturn([pointAt(0, 100), pointAt(30, 101)])).toBeCloseTo(
      1.01 ** (365 / 30) - 1,
      10,
    );
  });

  test("a lost account has an annualised return of −1, not a number that does not exist", () => {
    expect(annualisedReturn([pointAt(0, 100), pointAt(40, -5)])).toBe(-1);
  });

  test("deposits and withdrawals are neither profit nor loss", () => {
    const points = [
      pointAt(0, 100),
      pointAt(1, 110),
      { ...pointAt(2, 210), transferred: "100" },
      { ...pointAt(3, 105), transferred: "-105" },
    ];
    expect(totalReturn(points)).toBeCloseTo(0.1, 12);
    expect(maxDrawdown(points)).toMatchObject({ fraction: 0 });
  });

  test("a drawdown across a deposit is the fraction it was", () => {
    const points = [pointAt(0, 100), { ...pointAt(1, 180), transferred: "100" }, pointAt(2, 135)];
    expect(maxDrawdown(points)?.fraction).toBeCloseTo(1 - 0.8 * 0.75, 12);
  });
});

describe("ratios", () => {
  const points = [100, 102, 101, 104].map((equity, day) => pointAt(day, equity));
  const returns = [0.02, 101 / 102 - 1, 104 / 101 - 1];
  const mean = (returns[0] ?? 0) / 3 + (returns[1] ?? 0) / 3 + (returns[2] ?? 0) / 3;

  test("Sharpe is the mean return over its sample deviation, annualised", () => {
    const deviation = Math.sqrt(returns.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 2);
    expect(sharpeRatio(points)).toBeCloseTo((mean / deviation) * Math.sqrt(365), 10);
  });

  test("Sortino counts the losing periods only", () => {
    const downside = Math.sqrt((returns[1] ?? 0) ** 2 / 3);
    expect(sortinoRatio(points)).toBeCloseTo((mean / downside) * Math.sqrt(365), 10);
  });

  test("a risk-free rate lowers the ratio", () => {
    expect(sharpeRatio(points, 0.03)).toBeLessThan(sharpeRatio(points) ?? 0);
  });

  test("without variation, without a loss or with two points there is no ratio", () => {
    const steady = [100, 110, 121, 133.1].map((equity, day) => pointAt(day, equity));
    expect(sharpeRatio(steady)).toBeNull();
    expect(sortinoRatio(steady)).toBeNull();
    expect(sharpeRatio(points.slice(0, 2))).toBeNull();
  });
});

describe("what is not known is null", () => {
  test("an account that has just started has no figures", () => {
    expect(performanceOf([pointAt(0, 100)], [])).toEqual({
      totalReturn: null,
      annualisedReturn: null,
      sharpe: null,
      sortino: null,
      maxDrawdown: null,
      exposure: null,
      trades: {
        closed: 0,
        wins: 0,
        losses: 0,
        winRate: null,
        profitFactor: null,
        expectancy: null,
        expectancyRatio: null,
      },
    });
  });

  test("only wins have a win rate of 1 and no profit factor", () => {
    expect(tradeStatistics([5, 3])).toMatchObject({ winRate: 1, profitFactor: null });
  });

  test("a start at zero gives amounts but no fractions", () => {
    expect(totalReturn([pointAt(0, 0), pointAt(1, 10)])).toBeNull();
    expect(maxDrawdown([pointAt(0, 0), pointAt(1, -10)], "amount")).toMatchObject({
      amount: 10,
      fraction: null,
    });
  });
});

describe("trades and exposure", () => {
  test("a trade is a round trip: neither its opening nor each of its closings", () => {
    const { legs } = fold(ledgerOf("perpetual"), [
      fillOf("BUY", "10"),
      fillOf("SELL", "5", { price: "110" }),
      fillOf("SELL", "10", { price: "110" }),
      fillOf("BUY", "5", { price: "130" }),
      fillOf("BUY", "1", { symbol: ETH }),
    ]);
    expect(performanceOf([], legs).trades).toMatchObject({
      closed: 2,
      wins: 1,
      losses: 1,
      winRate: 0.5,
      profitFactor: 1,
      expectancy: 0,
    });
  });

  test("exposure is weighted with the time it lasted", () => {
    const points = [
      { ...pointAt(0, 100), grossExposure: "50" },
      { ...pointAt(3, 100), grossExposure: "0" },
      { ...pointAt(4, 100), grossExposure: "100" },
    ];
    expect(meanExposure(points)).toBeCloseTo(0.375, 12);
  });
});

function pointAt(day: number, equity: number): EquityPoint {
  return { at: T0 + day * DAY_MS, equity: String(equity) };
}

function curveOf(input: z.infer<typeof profits>): EquityPoint[] {
  let equity = input.starting_balance;
  const points = [pointAt(0, equity)];
  for (const [index, profit] of input.trade_profits.entries()) {
    equity += profit;
    points.push(pointAt(index + 1, equity));
  }
  return points;
}
