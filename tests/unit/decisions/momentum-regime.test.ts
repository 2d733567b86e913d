import { describe, expect, test } from "vitest";
import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import { momentumParamsSchema, type MomentumParams } from "#decisions/momentum-params.ts";
import { momentumRegime } from "#decisions/momentum-regime.ts";
import {
  analysisOf,
  decisionInput,
  failure,
  longHolding,
  NOW,
  portfolioOf,
  quote,
  reading,
  shortHolding,
  SYMBOL,
} from "#support/decision-fixtures.ts";

const DEFAULTS = momentumParamsSchema.parse({});
const MINUTE = 60_000;

describe("momentum regime", () => {
  describe("sizing", () => {
    test("risks a fixed percentage of the equity at the stop loss", () => {
      const decision = decide({ marketType: "perpetual" });
      // 2% of 10000 over a stop 800 away, whatever the leverage
      expect(decision.items).toEqual([
        expect.objectContaining({ action: "open_long", quantity: "0.25", leverage: 3 }),
      ]);
    });

    test("a higher leverage changes the margin, not the quantity", () => {
      const params = { ...DEFAULTS, base_leverage: 5 };
      const decision = decide({ params, marketType: "perpetual" });
      expect(decision.items[0]).toMatchObject({ quantity: "0.25", leverage: 5 });
    });

    test("on spot spends no more than the cash, without leverage", () => {
      const decision = decide({});
      const quantity = Number(decision.items[0]?.quantity);
      expect(quantity * 43_250).toBeCloseTo(10_000, 6);
      expect(decision.items[0]).not.toHaveProperty("leverage");
      expect(decision.details["capped_by"]).toBe("cash");
      expect(decision.warnings).toHaveLength(1);
    });

    test("on perpetuals keeps all positions together within equity times leverage", () => {
      const portfolio = {
        ...portfolioOf("10000", [longHolding("9", "1000", "ETH-USDT")]),
        totalValue: "10000",
      };
      const params = { ...DEFAULTS, base_leverage: 1.5 };
      const decision = decide({ params, portfolio, marketType: "perpetual" });
      expect(Number(decision.items[0]?.quantity) * 43_250).toBeCloseTo(15_000 - 9000, 6);
      expect(decision.details["capped_by"]).toBe("leverage");
    });

    test.each([
      ["spot", portfolioOf("0", [longHolding("10", "1000", "ETH-USDT")])],
      ["perpetual", portfolioOf("0")],
    ] as const)("without money opens nothing on %s", (marketType, portfolio) => {
      expect(decide({ marketType, portfolio })).toMatchObject({ signal: "HOLD", items: [] });
    });
  });

  describe("protections", () => {
    test("come with the entry, rounded to what is stored", () => {
      expect(decide({}).protections).toEqual([
        { symbol: SYMBOL, stopLoss: "42450", takeProfit: "44850" },
      ]);
    });

    test("of other open positions are kept", () => {
      const state = stateWith([{ symbol: "ETH-USDT", stopLoss: "900", takeProfit: "1200" }]);
      const portfolio = portfolioOf("10000", [longHolding("1", "1000", "ETH-USDT")]);
      const decision = decide({ state, portfolio });
      expect(decision.protections?.map(({ symbol }) => symbol)).toEqual(["ETH-USDT", SYMBOL]);
    });

    test("of positions that are gone are dropped, also by a HOLD", () => {
      const state = stateWith([{ symbol: "ETH-USDT", stopLoss: "900", takeProfit: "1200" }]);
      const decision = decide({ state, analysis: analysisOf() });
      expect(decision).toMatchObject({ signal: "HOLD", protections: [] });
      expect(decision.state).toMatchObject({ protections: [] });
    });

    test("are left alone by a HOLD that changes nothing", () => {
      const state = stateWith([{ symbol: SYMBOL, stopLoss: "42450", takeProfit: "44850" }]);
      const decision = decide({ state, portfolio: portfolioOf("1000", [held()]) });
      expect(decision.signal).toBe("HOLD");
      expect(decision).not.toHaveProperty("protections");
      expect(decision.state).toEqual(state);
    });

    test("of a position being closed stay until it is gone", () => {
      const state = stateWith([{ symbol: SYMBOL, stopLoss: "42450", takeProfit: "44850" }]);
      const portfolio = portfolioOf("1000", [held()]);
      const decision = decide({ state, portfolio, analysis: analysis({ signal: "SHORT" }) });
      expect(decision.items[0]).toMatchObject({ action: "close_long" });
      expect(decision).not.toHaveProperty("protections");
      expect(decision.state).toMatchObject({ protections: [{ symbol: SYMBOL }] });
    });
  });

  describe("a SHORT signal", () => {
    const short = analysis({ signal: "SHORT" });

    test("on spot closes a long position", () => {
      const decision = decide({ analysis: short, portfolio: portfolioOf("1000", [held()]) });
      expect(decision.signal).toBe("SELL");
      expect(decision.items).toEqual([{ symbol: SYMBOL, action: "close_long", quantity: "0.2" }]);
    });

    test("on spot without a position is a HOLD that says why", () => {
      const decision = decide({ analysis: short });
      expect(decision).toMatchObject({ signal: "HOLD", details: { hold_code: "short_on_spot" } });
      expect(decision.rationale).toContain("spot markets cannot be sold short");
    });

    test("on perpetuals closes the long position and opens a short one", () => {
      const portfolio = portfolioOf("10000", [held()]);
      const decision = decide({ analysis: short, portfolio, marketType: "perpetual" });
      expect(decision.signal).toBe("SHORT");
      expect(decision.items.map(({ action }) => action)).toEqual(["close_long", "open_short"]);
      expect(decision.protections).toEqual([
        { symbol: SYMBOL, stopLoss: "44050", takeProfit: "41650" },
      ]);
    });
  });

  test("a position that is flipped makes room for its successor", () => {
    const decision = decide({
      params: { ...DEFAULTS, max_concurrent_positions: 1 },
      portfolio: portfolioOf("10000", [shortHolding("0.1", "43250")]),
      marketType: "perpetual",
    });
    expect(decision.items.map(({ action }) => action)).toEqual(["close_short", "open_long"]);
  });

  describe("limits keep exits open (I12):", () => {
    const flipped: [string, Partial<DecisionInput<MomentumParams>>][] = [
      ["a stale price", { market: marketAt("43250", "stale") }],
      ["a dangerous regime", { analysis: analysis({}, { regime_score: 10 }) }],
      ["an unknown range", { analysis: analysis({ atr: null }) }],
      ["a cooldown", { state: { last_trade_at: { [SYMBOL]: NOW - MINUTE } } }],
      ["a stop too far away", { analysis: analysis({ stop_loss_distance_atr: 20 }) }],
      ["a full book", { params: { ...DEFAULTS, max_concurrent_positions: 1 } }],
    ];

    test.each(flipped)(
      "%s does not stop a signal from closing the opposite position",
      (_, with_) => {
        const others = [longHolding("1", "100", "ETH-USDT"), shortHolding("0.1", "43250")];
        const portfolio = portfolioOf("10000", others);
        const decision = decide({ ...with_, portfolio, marketType: "perpetual" });
        expect(decision.signal).toBe("BUY");
        expect(decision.items).toEqual([
          { symbol: SYMBOL, action: "close_short", quantity: "0.1" },
        ]);
      },
    );
  });

  describe("opens nothing", () => {
    test.each<[string, string, Partial<DecisionInput<MomentumParams>>]>([
      [
        "when the regime is extreme",
        "extreme_counter_trend",
        { analysis: analysis({}, { regime_score: 24.9 }) },
      ],
      ["on a weak signal", "weak_signal", { analysis: analysis({ signal_strength: 0.59 }) }],
      ["on an uncertain signal", "low_confidence", { analysis: analysis({ confidence: 0.49 }) }],
      ["without an opportunity", "no_opportunity", { analysis: analysis(null) }],
      ["in a symbol it does not trade", "symbol_not_traded", { symbols: ["ETH-USDT"] }],
      ["twice in one symbol", "already_positioned", { portfolio: portfolioOf("5000", [held()]) }],
      ["at a stale price (I11)", "no_fresh_price", { market: marketAt("43250", "stale") }],
      ["at a price past the stop loss", "price_outside_bracket", { market: marketAt("42000") }],
      ["at a price past the take profit", "price_outside_bracket", { market: marketAt("45000") }],
      ["without a range", "no_atr", { analysis: analysis({ atr: null }) }],
      ["with a stop too close", "bracket_invalid", { analysis: analysis({ atr: 100 }) }],
      [
        "without the regime",
        "missing_agent_output",
        { analysis: analysisOf(failure("regime_filter")) },
      ],
    ])("%s", (_, code, overrides) => {
      const decision = decide(overrides);
      expect(decision).toMatchObject({ signal: "HOLD", items: [] });
      expect(decision.details["hold_code"]).toBe(code);
      expect(decision.rationale).toContain("Nothing is traded because");
    });

    test("while the most positions allowed are held", () => {
      const holdings = ["A", "B", "C"].map((name) => longHolding("1", "10", `${name}-USDT`));
      const decision = decide({ portfolio: portfolioOf("10000", holdings) });
      expect(decision.details["hold_code"]).toBe("too_many_positions");
    });

    test("in the same symbol until the cooldown is over", () => {
      const { state } = decide({});
      const after = (minutes: number) =>
        decide({ state, tick: { id: "later", scheduledFor: NOW + minutes * MINUTE } });
      expect(after(59).details["hold_code"]).toBe("cooldown");
      expect(after(60).signal).toBe("LONG");
    });
  });

  test.each<[string, JsonObject]>([
    ["no fields", {}],
    ["a text for a number", { ...opportunity(), entry_price: "43250" }],
    ["a strength beyond 1", { ...opportunity(), signal_strength: 7 }],
  ])("agent data with %s is a HOLD with the reason, never an exception", (_, best) => {
    const decision = decide({
      analysis: analysisOf(
        regime(),
        reading("ta_momentum", 0, { best_opportunity: best, assets: {} }),
      ),
    });
    expect(decision.details["hold_code"]).toBe("malformed_agent_data");
    expect(decision.rationale).toContain("best_opportunity");
  });

  test("a damaged state is read as far as it makes sense", () => {
    const state = { protections: [1, { symbol: 2 }], last_trade_at: { [SYMBOL]: "then" } };
    expect(decide({ state }).signal).toBe("LONG");
  });

  test("the same input gives the same decision", () => {
    expect(decide({})).toEqual(decide({}));
  });
});

function decide(overrides: Partial<DecisionInput<MomentumParams>>): Decision {
  const input = decisionInput(DEFAULTS, {
    analysis: analysis({}),
    market: marketAt("43250"),
    ...overrides,
  });
  const decision = momentumRegime.decide(input);
  if (decision instanceof Promise) throw new Error("expected a synchronous decision");
  return decision;
}

function opportunity(): JsonObject {
  return {
    symbol: SYMBOL,
    signal: "LONG",
    signal_strength: 0.8,
    confidence: 0.75,
    entry_price: 43_250,
    atr: 400,
    stop_loss_distance_atr: 2,
    take_profit_rr: 2,
    reasoning: "price above its averages",
  };
}

function regime(override: JsonObject = {}) {
  return reading("regime_filter", 0, {
    regime_score: 60,
    classification: "HEALTHY",
    components: {},
    ...override,
  });
}

function analysis(best: JsonObject | null, regimeOverride: JsonObject = {}) {
  const best_opportunity = best === null ? null : { ...opportunity(), ...best };
  return analysisOf(
    regime(regimeOverride),
    reading("ta_momentum", 0, { best_opportunity, assets: {} }),
  );
}

function marketAt(price: string, quality: "fresh" | "stale" = "fresh") {
  return { at: NOW, quotes: { [SYMBOL]: quote(price, quality) }, funding: [], facts: {} };
}

function held() {
  return longHolding("0.2", "43250");
}

function stateWith(protections: JsonObject[]): JsonObject {
  return { protections, last_trade_at: {} };
}
