import { describe, expect, test } from "vitest";
import { z } from "zod";
import { convictionParamsSchema } from "#decisions/conviction-params.ts";
import { calculateConviction, type RiskFacts } from "#decisions/conviction.ts";
import { knownAnswers } from "#support/decision-fixtures.ts";

const agentSchema = z.object({ score: z.number().optional() }).nullable();
const file = knownAnswers(
  "conviction.json",
  z.object({
    tolerance: z.number(),
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.object({
          macro: agentSchema,
          onchain: agentSchema,
          ta: agentSchema,
          market_data: z.object({
            fear_greed: z.object({ value: z.number() }).optional(),
            btc_price_change_24h: z.number().optional(),
            macro: z.object({ dxy_index: z.number() }).optional(),
          }),
          custom_weights: z.record(z.string(), z.number()).nullable(),
        }),
        expected: z
          .object({
            score: z.number(),
            raw_weighted_score: z.number(),
            macro_contribution: z.number(),
            onchain_contribution: z.number(),
            ta_contribution: z.number(),
            risk_factor: z.number(),
            adjusted_score: z.number(),
            weights_used: z.record(z.string(), z.number()),
          })
          .optional(),
        expected_error: z.object({ kind: z.string() }).optional(),
      }),
    ),
  }),
);
type Case = (typeof file.cases)[number];

const NO_FACTS: RiskFacts = { fearGreed: null, change24hPct: null, dollarIndex: null };
const answered = file.cases.filter(({ expected }) => expected !== undefined);
const refused = file.cases.filter(({ expected_error: error }) => error !== undefined);

describe("conviction calculator", () => {
  test.each(answered)("gives the known answer $id", ({ input, expected }) => {
    const weights = weightsOf(input);
    const result = calculateConviction(
      [
        // The source counts an absent score as 0; our agent leaves the absent out (tested there).
        { agent: "macro", score: input.macro?.score ?? 0, weight: weights.macro },
        { agent: "onchain", score: input.onchain?.score ?? 0, weight: weights.onchain },
        { agent: "ta", score: input.ta?.score ?? 0, weight: weights.ta },
      ],
      factsOf(input),
    );
    expectClose(result.score, expected?.score);
    expectClose(result.raw, expected?.raw_weighted_score);
    expectClose(result.adjusted, expected?.adjusted_score);
    expectClose(result.riskFactor, expected?.risk_factor);
    expectClose(result.contributions["macro"], expected?.macro_contribution);
    expectClose(result.contributions["onchain"], expected?.onchain_contribution);
    expectClose(result.contributions["ta"], expected?.ta_contribution);
    expect(weights).toEqual(expected?.weights_used);
  });

  test.each(refused.filter(({ input }) => input.custom_weights !== null))(
    "refuses the weights the source refuses: $id",
    ({ input }) => {
      const result = convictionParamsSchema.safeParse({ agent_weights: input.custom_weights });
      expect(result.success).toBe(false);
      expect(result.error?.issues.every(({ path }) => path[0] === "agent_weights")).toBe(true);
    },
  );

  test("covers every error case of the file: bad weights, or a null agent output", () => {
    const kinds = new Set(refused.map(({ expected_error: error }) => error?.kind));
    // The null agent output is answered by the decision agent: optional or required and missing.
    expect([...kinds].toSorted((a = "", b = "") => a.localeCompare(b))).toEqual([
      "null_agent_output",
      "weight_out_of_range",
      "weights_missing_key",
      "weights_sum",
    ]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "refuses %d as a score, a weight or a fact with a typed error",
    (value) => {
      const refusal = expect.objectContaining({ code: "INVALID_INPUT" });
      const scores = [{ agent: "macro", score: 10, weight: 1 }];
      expect(() =>
        calculateConviction([{ agent: "macro", score: value, weight: 1 }], NO_FACTS),
      ).toThrow(refusal);
      expect(() =>
        calculateConviction([{ agent: "macro", score: 1, weight: value }], NO_FACTS),
      ).toThrow(refusal);
      for (const name of ["fearGreed", "change24hPct", "dollarIndex"]) {
        expect(() => calculateConviction(scores, { ...NO_FACTS, [name]: value })).toThrow(refusal);
      }
    },
  );

  test("a fact that is not known dampens nothing", () => {
    const { factors } = calculateConviction([], NO_FACTS);
    expect(factors).toEqual({ fearGreed: 1, volatility: 1, dollarIndex: 1 });
  });
});

function weightsOf(input: Case["input"]): { macro: number; onchain: number; ta: number } {
  return convictionParamsSchema.parse({ agent_weights: input.custom_weights ?? {} }).agent_weights;
}

function factsOf({ market_data: data }: Case["input"]): RiskFacts {
  return {
    fearGreed: data.fear_greed?.value ?? null,
    change24hPct: data.btc_price_change_24h ?? null,
    dollarIndex: data.macro?.dxy_index ?? null,
  };
}

function expectClose(actual: number | undefined, expected: number | undefined): void {
  expect(Math.abs((actual ?? Number.NaN) - (expected ?? Number.NaN))).toBeLessThanOrEqual(
    file.tolerance,
  );
}
