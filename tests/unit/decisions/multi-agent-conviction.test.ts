import { describe, expect, test } from "vitest";
import type { Analysis } from "#domain/analysis.ts";
import type { Decision, DecisionInput } from "#domain/decision.ts";
import { convictionParamsSchema, type ConvictionParams } from "#decisions/conviction-params.ts";
import { multiAgentConviction } from "#decisions/multi-agent-conviction.ts";
import {
  analysisOf,
  CALM,
  decisionInput,
  fact,
  failure,
  longHolding,
  NOW,
  portfolioOf,
  quote,
  reading,
  shortHolding,
  SYMBOL,
} from "#support/decision-fixtures.ts";

const DEFAULTS = convictionParamsSchema.parse({});
const INVESTED = portfolioOf("10000", [longHolding("0.2", "50000")]);

describe("multi-agent conviction", () => {
  test("buys a fraction of the portfolio's value at the price of the tick", () => {
    const decision = decide({ analysis: unanimous(50) });
    expect(decision.signal).toBe("BUY");
    // conviction 75 → 0.0035 of 10000 at 50000
    expect(decision.items).toEqual([
      expect.objectContaining({ symbol: SYMBOL, action: "open_long", quantity: "0.0007" }),
    ]);
    expect(decision.details).toMatchObject({
      conviction_score: 75,
      signal_strength: 0.5,
      position_size: 0.0035,
      risk_level: "LOW",
      position_multiplier: 1,
      contributions: { macro: 20, onchain: 20, ta: 10 },
      weights_used: { macro: 0.4, onchain: 0.4, ta: 0.2 },
      factors: { fear_greed: 1, volatility: 1, dollar_index: 1 },
      should_execute: true,
    });
    expect(decision.warnings).toEqual([]);
  });

  test("buys no more than the money at hand", () => {
    const portfolio = { ...portfolioOf("10000"), buyingPower: "5" };
    const decision = decide({ analysis: unanimous(50), portfolio });
    expect(decision.items[0]?.quantity).toBe("0.0001");
  });

  test("holds while nobody has any confidence, whatever the threshold", () => {
    const still = { ...reading("ta", 0), confidence: 0 };
    const state = stateOf({ bullish: 12 });
    const decision = decide({ analysis: analysisOf(still), state });
    expect(decision).toMatchObject({ signal: "HOLD", items: [], state });
    expect(decision.rationale).toContain("no agent has any confidence in its reading");
  });

  test("sells a fraction of the holding when the conviction is between the thresholds", () => {
    // 47.5 is halfway: a quarter of the holding
    const decision = decide({ analysis: unanimous(-5), portfolio: INVESTED });
    expect(decision.signal).toBe("SELL");
    expect(decision.items[0]).toMatchObject({ action: "close_long", quantity: "0.05" });
  });

  test("sells a whole holding to its last decimal", () => {
    const quantity = "0.123456789012345678";
    const portfolio = portfolioOf("1000", [longHolding(quantity, "50000")]);
    const decision = decide({ analysis: unanimous(-80), portfolio });
    expect(decision.items).toEqual([expect.objectContaining({ action: "close_long", quantity })]);
  });

  test("trades only the first symbol of the definition", () => {
    const decision = decide({ analysis: unanimous(50), symbols: [SYMBOL, "ETH-USDT"] });
    expect(decision.items.map(({ symbol }) => symbol)).toEqual([SYMBOL]);
  });

  test("says in one paragraph what the agents said and what follows", () => {
    const { rationale } = decide({ analysis: unanimous(50) });
    expect(rationale).toContain("macro 50 × 0.40");
    expect(rationale).toContain("Conviction 75.0 reaches the buy threshold 50");
    expect(rationale).not.toContain("\n");
  });

  describe("missing agents", () => {
    const partial = analysisOf(reading("macro", 60), reading("ta", 30), failure("onchain"));

    test("that are optional leave their weight to the others", () => {
      const decision = decide({ analysis: partial });
      const { weights_used: weights, conviction_score: score } = decision.details;
      expect(weights).toEqual({
        macro: expect.closeTo(2 / 3, 12),
        ta: expect.closeTo(1 / 3, 12),
      });
      // (60 · 2/3 + 30 · 1/3 + 100) / 2; the source would drag it to 65
      expect(score).toBeCloseTo(75, 9);
      expect(decision.warnings).toContain("agent onchain is missing (failed: source is down)");
    });

    test("that are optional lower the confidence", () => {
      expect(decide({ analysis: unanimous(50) }).items[0]?.confidence).toBeCloseTo(0.8, 12);
      expect(decide({ analysis: partial }).items[0]?.confidence).toBeCloseTo(0.8 * 0.6, 12);
    });

    test("that are required lead to a HOLD that names them", () => {
      const decision = decide({ analysis: partial, agents: required("onchain") });
      expect(decision).toMatchObject({ signal: "HOLD", items: [] });
      expect(decision.rationale).toContain("the required agent onchain is missing");
    });

    test("that never ran count as missing", () => {
      const decision = decide({ analysis: {}, agents: required("macro") });
      expect(decision.rationale).toContain("it did not run");
    });

    test("leave the streaks as they were", () => {
      const state = stateOf({ bullish: 12 });
      expect(decide({ analysis: {}, state }).state).toEqual(state);
    });

    test("that are all missing lead to a HOLD", () => {
      expect(decide({ analysis: {} })).toMatchObject({ signal: "HOLD", items: [] });
    });

    test("a score that is not a number counts as missing", () => {
      const analysis = { ...unanimous(50), ta: reading("ta", Number.NaN) };
      expect(decide({ analysis }).details["missing_agents"]).toEqual(["ta"]);
      expect(decide({ analysis, agents: required("ta") }).signal).toBe("HOLD");
    });
  });

  test("an agent beyond the three counts with the definition's weight", () => {
    const agents = [
      { name: "macro", required: false, weight: 0.5 },
      { name: "news", required: false, weight: 0.4 },
    ];
    const analysis = analysisOf(reading("macro", 0), reading("news", 100));
    // macro weighs 0.4 by the params, news 0.4 by the definition: half each
    expect(decide({ analysis, agents }).details["conviction_score"]).toBeCloseTo(75, 9);
  });

  describe("missing facts", () => {
    test("are named in warnings and change nothing", () => {
      const known = decide({ analysis: unanimous(50) });
      const blind = decide({ analysis: unanimous(50), market: marketWith({}) });
      expect(blind.items).toEqual(known.items);
      expect(blind.warnings).toEqual([
        "the fear & greed index is not available and does not enter the decision",
        "the 24 h change is not available and does not enter the decision",
        "the dollar index is not available and does not enter the decision",
      ]);
    });

    test("a fact that is not a number counts as missing", () => {
      const market = marketWith({ ...CALM, fearGreed: fact(Number.NaN) });
      expect(decide({ analysis: unanimous(50), market }).warnings).toHaveLength(1);
    });
  });

  describe("breakers", () => {
    const panic = marketWith({ ...CALM, fearGreed: fact(5) });

    test("block a purchase", () => {
      const decision = decide({ analysis: unanimous(80), market: panic });
      expect(decision).toMatchObject({ signal: "HOLD", items: [] });
      expect(decision.details["branch"]).toBe("circuit_breaker");
    });

    test("never block a sale (I12)", () => {
      const decision = decide({ analysis: unanimous(-80), market: panic, portfolio: INVESTED });
      expect(decision.items[0]).toMatchObject({ action: "close_long", quantity: "0.2" });
    });

    test("keep a long streak and note the score", () => {
      const state = stateOf({ bullish: 77 });
      const decision = decide({ analysis: unanimous(80), market: panic, state });
      expect(decision.state).toMatchObject({
        consecutive_bullish_count: 77,
        consecutive_bullish_since: NOW - 1,
        last_conviction_score: decision.details["conviction_score"],
      });
    });
  });

  describe("prices", () => {
    test.each([
      ["no price", {}],
      ["a stale price", { [SYMBOL]: quote("50000", "stale") }],
      ["a price of zero", { [SYMBOL]: quote("0") }],
    ])("nothing is bought with %s (I11)", (_, quotes) => {
      const market = { ...marketWith(CALM), quotes };
      const decision = decide({ analysis: unanimous(50), market });
      expect(decision.items).toEqual([]);
      expect(decision.details["should_execute"]).toBe(false);
      expect(decision.rationale).toContain("no fresh price");
    });

    test("a sale is planned without a fresh price (I12)", () => {
      const market = { ...marketWith(CALM), quotes: {} };
      const decision = decide({ analysis: unanimous(-80), market, portfolio: INVESTED });
      expect(decision.items).toHaveLength(1);
    });
  });

  test("nothing is sold when nothing is held long", () => {
    const portfolio = portfolioOf("10000", [shortHolding("0.1", "50000")]);
    expect(decide({ analysis: unanimous(-80) }).items).toEqual([]);
    expect(decide({ analysis: unanimous(-80), portfolio }).items).toEqual([]);
  });

  test("a portfolio that is fully invested buys nothing more", () => {
    const portfolio = portfolioOf("100", [longHolding("1", "50000")]);
    expect(decide({ analysis: unanimous(80), portfolio }).items).toEqual([]);
  });

  test("on perpetuals it buys without leverage", () => {
    const decision = decide({ analysis: unanimous(50), marketType: "perpetual" });
    expect(decision.items[0]?.leverage).toBe(1);
  });

  describe("streaks", () => {
    test("grow cycle by cycle and accelerate purchases after the threshold", () => {
      const params = { ...DEFAULTS, consecutive_signal_threshold: 2 };
      let state: DecisionInput<ConvictionParams>["state"] = null;
      const multipliers = [1, 2, 3, 4].map(() => {
        const decision = decide({ analysis: unanimous(50), params, state });
        state = decision.state;
        return decision.details["position_multiplier"];
      });
      expect(multipliers).toEqual([1, 1, 1.1, expect.closeTo(1.109, 12)]);
      expect(state).toMatchObject({ consecutive_bullish_count: 4, consecutive_bullish_since: NOW });
    });

    test("are counted by the strategy's own thresholds", () => {
      const params = { ...DEFAULTS, buy_threshold: 45, full_sell_threshold: 40 };
      const decision = decide({ analysis: unanimous(-6), params });
      // conviction 47: a BUY for this strategy, though below the usual 50
      expect(decision.state).toMatchObject({ consecutive_bullish_count: 1 });
    });

    test("cannot be forged by a param", () => {
      const forged = { consecutive_bullish_count: 500 };
      expect(convictionParamsSchema.safeParse(forged).success).toBe(false);
    });
  });

  test("the same input gives the same decision", () => {
    const input = { analysis: unanimous(12.3), portfolio: INVESTED };
    expect(decide(input)).toEqual(decide(input));
  });
});

function decide(overrides: Partial<DecisionInput<ConvictionParams>>): Decision {
  const decision = multiAgentConviction.decide(decisionInput(DEFAULTS, overrides));
  if (decision instanceof Promise) throw new Error("expected a synchronous decision");
  return decision;
}

function unanimous(score: number): Analysis {
  return analysisOf(reading("macro", score), reading("onchain", score), reading("ta", score));
}

function required(name: string): DecisionInput<ConvictionParams>["agents"] {
  return decisionInput(DEFAULTS).agents.map((agent) => ({
    ...agent,
    required: agent.name === name,
  }));
}

function marketWith(
  facts: DecisionInput<ConvictionParams>["market"]["facts"],
): DecisionInput<ConvictionParams>["market"] {
  return { at: NOW, quotes: { [SYMBOL]: quote("50000") }, funding: [], facts };
}

function stateOf({ bullish }: { bullish: number }) {
  return {
    consecutive_bullish_count: bullish,
    consecutive_bullish_since: NOW - 1,
    consecutive_bearish_count: 0,
    consecutive_bearish_since: null,
    last_conviction_score: 60,
  };
}
