import { z } from "zod";
import { integerParam, numberParam, sumsToOne } from "./params.ts";

const weight = () => numberParam(0, 1);

const agentWeightsSchema = z
  .strictObject({
    macro: weight().default(0.4),
    onchain: weight().default(0.4),
    ta: weight().default(0.2),
  })
  .refine((weights) => sumsToOne(Object.values(weights)), {
    error: "the weights must add up to 1 (±0.01); change one of them to make up the difference",
  });

/** Params of `multi_agent_conviction`; defaults are those of the template `multi_agent_btc_v1`. */
export const convictionParamsSchema = z
  .strictObject({
    agent_weights: agentWeightsSchema
      .prefault({})
      .describe("How much each agent counts; shares of 1"),
    buy_threshold: numberParam(0, 100).default(50).describe("Conviction from which to buy"),
    partial_sell_threshold: numberParam(0, 100)
      .default(50)
      .describe("Kept for older templates, without effect: selling starts below buy_threshold"),
    full_sell_threshold: numberParam(0, 100)
      .default(45)
      .describe("Conviction below which everything is sold"),
    consecutive_signal_threshold: integerParam(1, 1000)
      .default(30)
      .describe("Bullish bars in a row after which purchases grow"),
    acceleration_multiplier_min: numberParam(1, 5)
      .default(1.1)
      .describe("Growth of purchases when the streak threshold is reached"),
    acceleration_multiplier_max: numberParam(1, 5)
      .default(2)
      .describe("Growth of purchases 100 bars later"),
    fg_circuit_breaker_threshold: integerParam(0, 100)
      .default(20)
      .describe("Fear & greed index below which nothing is bought; 0 switches the breaker off"),
    fg_position_adjust_threshold: integerParam(0, 100)
      .default(30)
      .describe("Fear & greed index below which purchases shrink by a fifth"),
  })
  .check((context) => {
    const { value, issues } = context;
    if (value.full_sell_threshold > value.buy_threshold) {
      issues.push({
        code: "custom",
        path: ["full_sell_threshold"],
        input: value.full_sell_threshold,
        message: `must not be above buy_threshold (${value.buy_threshold}), was ${value.full_sell_threshold}`,
      });
    }
    if (value.acceleration_multiplier_min > value.acceleration_multiplier_max) {
      issues.push({
        code: "custom",
        path: ["acceleration_multiplier_min"],
        input: value.acceleration_multiplier_min,
        message: `must not be above acceleration_multiplier_max (${value.acceleration_multiplier_max}), was ${value.acceleration_multiplier_min}`,
      });
    }
  });

export type ConvictionParams = z.infer<typeof convictionParamsSchema>;
