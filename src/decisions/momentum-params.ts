import { z } from "zod";
import { integerParam, numberParam, sumsToOne } from "./params.ts";

const ORDERED = [
  ["base_leverage", "max_leverage"],
  ["min_sl_distance_pct", "max_sl_distance_pct"],
  ["min_tp_rr", "default_tp_rr"],
] as const;

/** Params of `momentum_regime`; defaults are those of the template `momentum_regime_btc_v1`. */
export const momentumParamsSchema = z
  .strictObject({
    base_risk_pct: numberParam(0.01, 10)
      .default(2)
      .describe("Percent of the equity lost at the stop loss in a neutral market"),
    base_leverage: numberParam(1, 20).default(3).describe("Leverage in a neutral market"),
    max_leverage: numberParam(1, 20).default(5).describe("Highest leverage in any market"),
    min_signal_strength: numberParam(0, 1).default(0.6).describe("Weaker signals are ignored"),
    min_confidence: numberParam(0, 1).default(0.5).describe("Less certain signals are ignored"),
    regime_weight: numberParam(0, 1)
      .default(0.2)
      .describe("How much the regime moves the conviction"),
    ta_weight: numberParam(0, 1).default(0.8).describe("The rest of 1 beside regime_weight"),
    extreme_regime_threshold: numberParam(0, 100)
      .default(25)
      .describe("Regime score below which nothing is bought"),
    default_sl_atr_multiplier: numberParam(0.1, 20)
      .default(2)
      .describe("Stop loss distance in average true ranges when the agent gives none"),
    default_tp_rr: numberParam(0.1, 50)
      .default(2)
      .describe("Reward per unit of risk when the agent gives none"),
    min_tp_rr: numberParam(0, 50).default(1.5).describe("Least reward per unit of risk"),
    max_sl_distance_pct: numberParam(0.01, 90)
      .default(10)
      .describe("Largest distance of the stop loss, percent of the entry price"),
    min_sl_distance_pct: numberParam(0, 90)
      .default(0.5)
      .describe("Smallest distance of the stop loss, percent of the entry price"),
    max_concurrent_positions: integerParam(1, 100)
      .default(3)
      .describe("Most positions held at once"),
    cooldown_minutes: integerParam(0, 43_200)
      .default(60)
      .describe("Minutes after a trade before the same symbol may be entered again"),
  })
  .check(({ value, issues }) => {
    for (const [low, high] of ORDERED) {
      if (value[low] <= value[high]) continue;
      const message = `must not be above ${high} (${value[high]}), was ${value[low]}`;
      issues.push({ code: "custom", path: [low], input: value[low], message });
    }
    if (!sumsToOne([value.regime_weight, value.ta_weight])) {
      const message = `must add up to 1 with ta_weight (${value.ta_weight}), was ${value.regime_weight}`;
      issues.push({ code: "custom", path: ["regime_weight"], input: value.regime_weight, message });
    }
    // A stop further away than 100 / leverage percent lies behind the liquidation price.
    if (value.max_leverage * value.max_sl_distance_pct >= 100) {
      const limit = (100 / value.max_leverage).toFixed(2);
      const message = `must be below ${limit}, where max_leverage ${value.max_leverage} is liquidated, was ${value.max_sl_distance_pct}`;
      issues.push({ code: "custom", path: ["max_sl_distance_pct"], input: value, message });
    }
  });

export type MomentumParams = z.infer<typeof momentumParamsSchema>;
