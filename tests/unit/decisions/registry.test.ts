import { describe, expect, test } from "vitest";
import { InvalidInputError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { multiAgentConviction } from "#decisions/multi-agent-conviction.ts";

const registry = createDecisionRegistry();

describe("decision registry", () => {
  test("lists the built-in decision agents by name", () => {
    expect(registry.list().map(({ name }) => name)).toEqual([
      "momentum_regime",
      "multi_agent_conviction",
    ]);
  });

  test("an unknown name is refused with the names that are known", () => {
    expect(() => registry.get("app.decision_agents.evil")).toThrow(
      expect.objectContaining({
        code: "UNKNOWN_DECISION_AGENT",
        message: expect.stringContaining("momentum_regime, multi_agent_conviction"),
      }),
    );
  });

  test("two decision agents of one name are refused", () => {
    expect(() => createDecisionRegistry([multiAgentConviction, multiAgentConviction])).toThrow(
      expect.objectContaining({ code: "DUPLICATE" }),
    );
  });
});

describe("conviction params", () => {
  test("are complete without any input", () => {
    expect(registry.parseParams("multi_agent_conviction", {})).toEqual({
      agent_weights: { macro: 0.4, onchain: 0.4, ta: 0.2 },
      buy_threshold: 50,
      partial_sell_threshold: 50,
      full_sell_threshold: 45,
      consecutive_signal_threshold: 30,
      acceleration_multiplier_min: 1.1,
      acceleration_multiplier_max: 2,
      fg_circuit_breaker_threshold: 20,
      fg_position_adjust_threshold: 30,
    });
  });

  test("a partial agent_weights keeps the other weights", () => {
    const params = { agent_weights: { macro: 0.3, onchain: 0.5 } };
    expect(registry.parseParams("multi_agent_conviction", params)).toMatchObject({
      agent_weights: { macro: 0.3, onchain: 0.5, ta: 0.2 },
    });
  });

  test("the strategy's params win over the definition's, weight by weight", () => {
    const definition = {
      agent_weights: { macro: 0.25, onchain: 0.5, ta: 0.25 },
      buy_threshold: 55,
    };
    const params = { agent_weights: { macro: 0.3, onchain: 0.45 }, full_sell_threshold: 44 };
    expect(registry.parseParams("multi_agent_conviction", params, definition)).toMatchObject({
      agent_weights: { macro: 0.3, onchain: 0.45, ta: 0.25 },
      buy_threshold: 55,
      full_sell_threshold: 44,
    });
  });

  test("the template's own default params are accepted as they are written", () => {
    const template = {
      agent_weights: { macro: 0.4, onchain: 0.4, ta: 0.2 },
      buy_threshold: 50,
      partial_sell_threshold: 50,
      full_sell_threshold: 45,
      consecutive_signal_threshold: 30,
      acceleration_multiplier_min: 1.1,
      acceleration_multiplier_max: 2,
      fg_circuit_breaker_threshold: 20,
      fg_position_adjust_threshold: 30,
    };
    expect(registry.parseParams("multi_agent_conviction", template)).toEqual(template);
  });

  test.each<[string, JsonObject, string]>([
    ["a buy threshold above 100", { buy_threshold: 101 }, "buy_threshold"],
    ["a threshold as text", { buy_threshold: "50" }, "buy_threshold"],
    ["full_sell above buy", { full_sell_threshold: 55 }, "full_sell_threshold"],
    [
      "a smallest acceleration above the largest",
      { acceleration_multiplier_min: 2, acceleration_multiplier_max: 1.1 },
      "acceleration_multiplier_min",
    ],
    [
      "an acceleration above 5",
      { acceleration_multiplier_max: 5.1 },
      "acceleration_multiplier_max",
    ],
    ["half a cycle", { consecutive_signal_threshold: 1.5 }, "consecutive_signal_threshold"],
    ["no cycle at all", { consecutive_signal_threshold: 0 }, "consecutive_signal_threshold"],
    ["a fear limit of -1", { fg_circuit_breaker_threshold: -1 }, "fg_circuit_breaker_threshold"],
    ["weights that add up to 1.1", { agent_weights: { macro: 0.5 } }, "agent_weights"],
    ["a negative weight", { agent_weights: { macro: -0.1, onchain: 0.9 } }, "agent_weights.macro"],
    ["weights as a list", { agent_weights: [0.4, 0.4, 0.2] }, "agent_weights"],
    ["an unknown param", { buy_treshold: 50 }, "buy_treshold"],
    ["an unknown agent", { agent_weights: { news: 0 } }, "agent_weights.news"],
  ])("%s is refused and the field named", (_, params, field) => {
    expect(fieldsOf("multi_agent_conviction", params)).toContain(field);
  });

  test("every offending field is named at once, with what was expected", () => {
    const params = { buy_threshold: 101, fg_circuit_breaker_threshold: 0.5 };
    expect(refusal("multi_agent_conviction", params).fields).toEqual([
      { field: "buy_threshold", message: "expected a number from 0 to 100, was 101" },
      {
        field: "fg_circuit_breaker_threshold",
        message: "expected a whole number from 0 to 100, was 0.5",
      },
    ]);
  });

  test("full_sell equal to buy and weights a hundredth off are accepted", () => {
    const params = {
      buy_threshold: 45,
      full_sell_threshold: 45,
      agent_weights: { macro: 0.41, onchain: 0.4, ta: 0.2 },
    };
    expect(registry.parseParams("multi_agent_conviction", params)).toMatchObject(params);
  });
});

describe("momentum params", () => {
  test("are complete without any input", () => {
    expect(registry.parseParams("momentum_regime", {})).toEqual({
      base_risk_pct: 2,
      base_leverage: 3,
      max_leverage: 5,
      min_signal_strength: 0.6,
      min_confidence: 0.5,
      regime_weight: 0.2,
      ta_weight: 0.8,
      extreme_regime_threshold: 25,
      default_sl_atr_multiplier: 2,
      default_tp_rr: 2,
      min_tp_rr: 1.5,
      max_sl_distance_pct: 10,
      min_sl_distance_pct: 0.5,
      max_concurrent_positions: 3,
      cooldown_minutes: 60,
    });
  });

  test.each<[string, JsonObject, string]>([
    ["more leverage than allowed", { base_leverage: 6 }, "base_leverage"],
    ["a smallest stop beyond the largest", { min_sl_distance_pct: 11 }, "min_sl_distance_pct"],
    ["a default reward below the least", { default_tp_rr: 1.4 }, "min_tp_rr"],
    ["weights that do not add up", { regime_weight: 0.5 }, "regime_weight"],
    ["a stop behind the liquidation", { max_leverage: 10 }, "max_sl_distance_pct"],
    ["no position at all", { max_concurrent_positions: 0 }, "max_concurrent_positions"],
    ["someone else's param", { portfolio_value: 10_000 }, "portfolio_value"],
  ])("%s is refused and the field named", (_, params, field) => {
    expect(fieldsOf("momentum_regime", params)).toContain(field);
  });
});

function refusal(name: string, params: JsonObject): InvalidInputError {
  try {
    registry.parseParams(name, params);
  } catch (error) {
    if (error instanceof InvalidInputError && error.code === "INVALID_PARAMS") return error;
    throw error;
  }
  throw new Error("expected the params to be refused");
}

function fieldsOf(name: string, params: JsonObject): string[] {
  return refusal(name, params).fields.map(({ field }) => field);
}
