import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentOutput, Analysis } from "#domain/analysis.ts";
import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MarketFact } from "#domain/market.ts";
import type { PortfolioView } from "#domain/portfolio.ts";
import { convictionParamsSchema, type ConvictionParams } from "#decisions/conviction-params.ts";
import { momentumParamsSchema, type MomentumParams } from "#decisions/momentum-params.ts";
import { momentumRegime } from "#decisions/momentum-regime.ts";
import { multiAgentConviction } from "#decisions/multi-agent-conviction.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import {
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

const PRICE = "50000";
const RUNS = { numRuns: 500 };

describe("multi-agent conviction", () => {
  test("the score stays within 0..100 and every number stored is finite", () => {
    check(convictionInput(), (input) => {
      const { details } = decide(multiAgentConviction, input);
      const score = details["conviction_score"];
      if (score !== undefined) expect(score).toSatisfy(between(0, 100));
      expect(nonFinite(details)).toEqual([]);
    });
  });

  test("a purchase stays within its fraction of the portfolio and within the money at hand", () => {
    check(convictionInput(), (input) => {
      const { items } = decide(multiAgentConviction, input);
      const { portfolio, params } = input;
      for (const { quantity } of items.filter(({ action }) => action === "open_long")) {
        const value = Number(quantity) * Number(PRICE);
        const strongest = (100 - params.buy_threshold) / 50;
        const largest = (0.002 + 0.003 * strongest) * params.acceleration_multiplier_max;
        const cap = Math.min(Number(portfolio.totalValue) * largest, Number(portfolio.buyingPower));
        expect(value).toBeLessThanOrEqual(cap * (1 + 1e-9));
      }
    });
  });

  test("a sale never exceeds the holding", () => {
    check(convictionInput(), (input) => {
      const { items } = decide(multiAgentConviction, input);
      const held = Number(input.portfolio.holdings[0]?.quantity ?? 0);
      for (const { quantity } of items.filter(({ action }) => action === "close_long")) {
        expect(Number(quantity)).toSatisfy(between(0, held));
      }
    });
  });

  test("breakers never change what is sold (I12)", () => {
    check(convictionInput(), (input) => {
      const { fearGreed: _, ...facts } = input.market.facts;
      const calm = {
        ...input,
        market: { ...input.market, facts: { ...facts, fearGreed: fact(50) } },
      };
      // The same fear, so the same conviction: only the breaker's limit differs.
      const tripped = {
        ...calm,
        params: { ...input.params, fg_circuit_breaker_threshold: 51 },
      };
      const before = decide(multiAgentConviction, calm);
      if (before.signal !== "SELL") return;
      expect(decide(multiAgentConviction, tripped).items).toEqual(before.items);
    });
  });

  test("weights used add up to 1 whoever is missing", () => {
    check(convictionInput(), (input) => {
      const used = decide(multiAgentConviction, input).details["weights_used"];
      if (typeof used !== "object" || used === null) return;
      let sum = 0;
      for (const weight of Object.values(used)) sum += Number(weight);
      expect(sum).toSatisfy(between(0.99 - 1e-9, 1.01 + 1e-9));
    });
  });

  test("at most one streak is under way and it grows by one at most", () => {
    check(convictionInput(), (input) => {
      const state = decide(multiAgentConviction, input).state ?? {};
      const bullish = Number(state["consecutive_bullish_count"] ?? 0);
      const bearish = Number(state["consecutive_bearish_count"] ?? 0);
      const before = Number(input.state?.["consecutive_bullish_count"] ?? 0);
      expect(Math.min(bullish, bearish)).toBe(0);
      expect(bullish).toBeLessThanOrEqual(before + 1);
      expect(bearish).toBeLessThanOrEqual(1);
    });
  });

  test("a HOLD never trades and nothing is bought without a fresh price", () => {
    check(convictionInput(), (input) => expectSound(input, decide(multiAgentConviction, input)));
  });
});

describe("momentum regime", () => {
  test("a HOLD never trades, nothing is opened without a fresh price, no input throws", () => {
    check(momentumInput(), (input) => expectSound(input, decide(momentumRegime, input)));
  });

  test("the loss at the stop never exceeds the risk of the regime", () => {
    check(momentumInput(), (input) => {
      const { details, items } = decide(momentumRegime, input);
      const opening = items.find(({ action }) => action.startsWith("open"));
      if (opening === undefined) return;
      const distance = Math.abs(Number(details["entry_price"]) - Number(details["stop_loss"]));
      const allowed =
        (Number(input.portfolio.totalValue) * Number(details["effective_risk_pct"])) / 100;
      expect(Number(opening.quantity) * distance).toBeLessThanOrEqual(allowed * (1 + 1e-9));
    });
  });

  test("no position exceeds the cash on spot or equity times leverage on perpetuals", () => {
    check(momentumInput(), (input) => {
      const { details, items } = decide(momentumRegime, input);
      const opening = items.find(({ action }) => action.startsWith("open"));
      if (opening === undefined) return;
      const notional = Number(opening.quantity) * Number(PRICE);
      const { portfolio, marketType } = input;
      const cap =
        marketType === "spot"
          ? Number(portfolio.buyingPower)
          : Number(portfolio.totalValue) * Number(details["effective_leverage"]);
      expect(notional).toBeLessThanOrEqual(cap * (1 + 1e-9));
    });
  });

  test("every opening has its stop loss on the losing side and its take profit on the other", () => {
    check(momentumInput(), (input) => {
      const { items, protections } = decide(momentumRegime, input);
      const opening = items.find(({ action }) => action.startsWith("open"));
      if (opening === undefined) return;
      const own = protections?.find(({ symbol }) => symbol === opening.symbol);
      const direction = opening.action === "open_long" ? 1 : -1;
      expect((Number(PRICE) - Number(own?.stopLoss)) * direction).toBeGreaterThan(0);
      expect((Number(own?.takeProfit) - Number(PRICE)) * direction).toBeGreaterThan(0);
    });
  });

  test("spot is never sold short", () => {
    check(momentumInput(), (input) => {
      if (input.marketType !== "spot") return;
      const actions = decide(momentumRegime, input).items.map(({ action }) => action);
      expect(actions).not.toContain("open_short");
    });
  });
});

function check<Value>(values: fc.Arbitrary<Value>, holds: (value: Value) => void): void {
  fc.assert(fc.property(values, holds), RUNS);
}

function decide<Params>(agent: DecisionAgent<Params>, input: DecisionInput<Params>): Decision {
  const decision = agent.decide(input);
  if (decision instanceof Promise) throw new Error("expected a synchronous decision");
  return decision;
}

/** What must be true of any decision. */
function expectSound<Params>(input: DecisionInput<Params>, decision: Decision): void {
  if (decision.signal === "HOLD") expect(decision.items).toEqual([]);
  const isFresh = input.market.quotes[SYMBOL]?.quality === "fresh";
  for (const item of decision.items) {
    expect(item.quantity).toMatch(/^\d+(\.\d+)?$/);
    expect(Number(item.quantity)).toBeGreaterThan(0);
    if (item.action.startsWith("open")) expect(isFresh).toBe(true);
  }
  expect(decision.rationale.length).toBeGreaterThan(10);
  expect(nonFinite(decision.details)).toEqual([]);
}

/** Paths of numbers that JSON cannot carry. */
function nonFinite(value: unknown, path = ""): string[] {
  if (typeof value === "number") return Number.isFinite(value) ? [] : [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => nonFinite(inner, `${path}.${key}`));
}

function between(low: number, high: number): (value: unknown) => boolean {
  return (value) => typeof value === "number" && value >= low && value <= high;
}

function convictionInput(): fc.Arbitrary<DecisionInput<ConvictionParams>> {
  return fc
    .record({
      params: convictionParams(),
      analysis: analysis(["macro", "onchain", "ta"]),
      required: fc.boolean(),
      facts: fc.record({
        fearGreed: marketFact(0, 100),
        change24hPct: marketFact(-60, 60),
        dollarIndex: marketFact(70, 130),
      }),
      portfolio: portfolio(["LONG"]),
      quotes: quotes(),
      state: fc.option(fc.nat(200).map((count) => ({ consecutive_bullish_count: count }))),
    })
    .map(({ required, facts, quotes: prices, ...rest }) => {
      const agents = decisionInput(rest.params).agents.map((agent) => ({ ...agent, required }));
      return decisionInput(rest.params, { ...rest, agents, market: marketOf(prices, facts) });
    });
}

function convictionParams(): fc.Arbitrary<ConvictionParams> {
  return fc
    .record({
      thresholds: fc.tuple(fc.nat(100), fc.nat(100)),
      multipliers: fc.tuple(fc.nat(40), fc.nat(40)),
      fg_circuit_breaker_threshold: fc.nat(100),
      fg_position_adjust_threshold: fc.nat(100),
    })
    .map(({ thresholds, multipliers, ...rest }) =>
      convictionParamsSchema.parse({
        ...rest,
        full_sell_threshold: Math.min(...thresholds),
        buy_threshold: Math.max(...thresholds),
        acceleration_multiplier_min: 1 + Math.min(...multipliers) / 10,
        acceleration_multiplier_max: 1 + Math.max(...multipliers) / 10,
      }),
    );
}

function momentumInput(): fc.Arbitrary<DecisionInput<MomentumParams>> {
  return fc
    .record({
      regime: fc.option(regimeData()),
      momentum: fc.option(momentumData()),
      quotes: quotes(),
      portfolio: portfolio(["LONG", "SHORT"]),
      marketType: fc.constantFrom("spot" as const, "perpetual" as const),
      state: fc.option(fc.dictionary(fc.constantFrom("protections", "last_trade_at"), junk())),
    })
    .map(({ regime, momentum, quotes: prices, portfolio: view, ...rest }) => {
      const isImpossible = rest.marketType === "spot" && view.holdings[0]?.type === "SHORT";
      return decisionInput(momentumParamsSchema.parse({}), {
        ...rest,
        portfolio: isImpossible ? portfolioOf(view.cash) : view,
        analysis: {
          regime_filter: outputOf("regime_filter", regime),
          ta_momentum: outputOf("ta_momentum", momentum),
        },
        market: marketOf(prices, {}),
      });
    });
}

function regimeData(): fc.Arbitrary<JsonObject> {
  return fc.record({
    regime_score: fc.double({ min: 0, max: 100, noNaN: true }),
    classification: fc.constant("NEUTRAL"),
    components: fc.constant({}),
  });
}

function momentumData(): fc.Arbitrary<JsonObject> {
  const best = fc.record({
    symbol: fc.constant(SYMBOL),
    signal: fc.constantFrom("LONG", "SHORT", "NEUTRAL"),
    signal_strength: fc.double({ min: 0.5, max: 1, noNaN: true }),
    confidence: fc.double({ min: 0.4, max: 1, noNaN: true }),
    entry_price: fc.constantFrom(Number(PRICE), Number(PRICE), 0, -1),
    atr: fc.option(fc.double({ min: 0, max: 3000, noNaN: true })),
    stop_loss_distance_atr: fc.option(fc.double({ min: 0.5, max: 4, noNaN: true })),
    take_profit_rr: fc.option(fc.double({ min: 0, max: 6, noNaN: true })),
    reasoning: fc.constant("property"),
  });
  const agreed = best.map((opportunity) => ({ best_opportunity: opportunity, assets: {} }));
  const malformed = fc.dictionary(fc.constantFrom("best_opportunity", "assets"), junk());
  return fc.oneof({ weight: 9, arbitrary: agreed }, { weight: 1, arbitrary: malformed });
}

function analysis(agents: string[]): fc.Arbitrary<Analysis> {
  const outputs = agents.map((agent) => fc.tuple(fc.constant(agent), agentOutput(agent)));
  return fc
    .tuple(...outputs)
    .map((pairs) =>
      Object.fromEntries(
        pairs.flatMap(([agent, output]) => (output === null ? [] : [[agent, output]])),
      ),
    );
}

function agentOutput(agent: string): fc.Arbitrary<AgentOutput | null> {
  return fc.oneof(
    {
      weight: 8,
      arbitrary: fc.double({ min: -150, max: 150 }).map((score) => reading(agent, score)),
    },
    { weight: 1, arbitrary: fc.constant(failure(agent)) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
}

function outputOf(agent: string, data: JsonObject | null): AgentOutput {
  return data === null ? failure(agent) : reading(agent, 0, data);
}

function marketFact(low: number, high: number): fc.Arbitrary<MarketFact | null> {
  return fc.option(fc.double({ min: low, max: high, noNaN: true }).map(fact));
}

function quotes(): fc.Arbitrary<DecisionInput<unknown>["market"]["quotes"]> {
  return fc.constantFrom(
    { [SYMBOL]: quote(PRICE) },
    { [SYMBOL]: quote(PRICE) },
    { [SYMBOL]: quote(PRICE, "stale" as const) },
    {},
  );
}

function marketOf(
  prices: DecisionInput<unknown>["market"]["quotes"],
  facts: Record<string, MarketFact | null>,
): DecisionInput<unknown>["market"] {
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  return { at: NOW, quotes: prices, funding: [], facts: Object.fromEntries(known) };
}

function portfolio(types: ("LONG" | "SHORT")[]): fc.Arbitrary<PortfolioView> {
  return fc
    .record({
      cash: fc.double({ min: 0, max: 1e7, noNaN: true }),
      quantity: fc.option(fc.integer({ min: 1, max: 1_000_000 })),
      type: fc.constantFrom(...types),
    })
    .map(({ cash, quantity, type }) => {
      if (quantity === null) return portfolioOf(cash.toFixed(8));
      const held = (quantity / 10_000).toFixed(4);
      const holding = type === "LONG" ? longHolding(held, PRICE) : shortHolding(held, PRICE);
      return portfolioOf(cash.toFixed(8), [holding]);
    });
}

function junk() {
  return fc.constantFrom(null, 0, "x", [], {}, [null, 1, { symbol: SYMBOL }], { [SYMBOL]: "x" });
}
