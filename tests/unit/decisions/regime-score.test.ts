import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  classifyRegime,
  recommendedMultiplier,
  regimeRisk,
  scoreRegime,
  scoreRegimeWithPlaceholders,
  type RegimeIndicators,
} from "#decisions/regime-score.ts";
import { knownAnswers } from "#support/decision-fixtures.ts";

const file = knownAnswers(
  "automoney-regime-filter.json",
  z.object({
    tolerance: z.number(),
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.object({
          macro: z.object({ dxy: z.number(), fed_rate: z.number() }).optional(),
          sentiment: z.object({ fear_greed_value: z.number() }).optional(),
          assets: z
            .object({
              BTC: z.object({
                funding_rate: z.number(),
                open_interest_change_24h: z.number(),
                futures_premium: z.number(),
              }),
            })
            .optional(),
          onchain: z.object({ btc_mvrv_zscore: z.number() }).optional(),
        }),
        expected: z.object({
          normalized: z.record(z.string(), z.number()),
          base_score: z.number(),
          classification: z.string(),
          risk_level: z.string(),
          recommended_multiplier: z.number(),
        }),
      }),
    ),
    classification: z.array(
      z.object({
        regime_score: z.number(),
        classification: z.string(),
        risk_level: z.string(),
        recommended_multiplier_step: z.number(),
      }),
    ),
  }),
);

describe("regime score", () => {
  test.each(file.cases)("gives the known answer $id with the placeholders", (known) => {
    const { expected } = known;
    const result = scoreRegimeWithPlaceholders(indicatorsOf(known.input));
    expectClose(result.score, expected.base_score);
    expect(Object.keys(result.components).toSorted()).toEqual(
      Object.keys(expected.normalized).toSorted(),
    );
    for (const [name, value] of Object.entries(expected.normalized)) {
      expectClose(result.components[name], value);
    }
    expect(result).toMatchObject({
      classification: expected.classification,
      riskLevel: expected.risk_level,
      recommendedMultiplier: expected.recommended_multiplier,
    });
  });

  const complete = file.cases.filter(({ input }) => input.macro !== undefined);

  test.each(complete)("without placeholders is the same judgement, rescaled: $id", (known) => {
    const indicators = indicatorsOf(known.input);
    const result = scoreRegime(indicators);
    const { etf_flow: flow = 0, mvrv = 0 } = known.expected.normalized;
    const withPlaceholders = known.expected.base_score / 50 - 1;
    // An MVRV of 0 is a value to us (undervalued, 1) and missing to the source.
    const mvrvGain = indicators.mvrv === 0 ? (1 - mvrv) * 0.05 : 0;
    const balance = (withPlaceholders - flow * 0.25 + mvrvGain) / 0.75;
    expectClose(result?.score, (Math.min(1, Math.max(-1, balance)) + 1) * 50);
    expect(result?.components).not.toHaveProperty("etf_flow");
  });

  test.each(file.classification)("classifies $regime_score as $classification", (known) => {
    expect(classifyRegime(known.regime_score)).toBe(known.classification);
    expect(regimeRisk(known.regime_score)).toBe(known.risk_level);
    expect(recommendedMultiplier(known.regime_score)).toBe(known.recommended_multiplier_step);
  });

  test("what is missing is left out and the others count for more", () => {
    const result = scoreRegime({ fear_greed: 90, dxy: null });
    expect(result).toMatchObject({ score: 100, components: { fear_greed: 1 }, coverage: 0.2 });
  });

  test("a number that is not finite counts as missing", () => {
    expect(scoreRegime({ fear_greed: Number.NaN })).toBeNull();
  });

  test("nothing known gives no score", () => {
    expect(scoreRegime({})).toBeNull();
  });
});

function indicatorsOf(input: (typeof file.cases)[number]["input"]): RegimeIndicators {
  return {
    dxy: input.macro?.dxy ?? null,
    fed_rate: input.macro?.fed_rate ?? null,
    fear_greed: input.sentiment?.fear_greed_value ?? null,
    funding_rate: input.assets?.BTC.funding_rate ?? null,
    open_interest: input.assets?.BTC.open_interest_change_24h ?? null,
    futures_premium: input.assets?.BTC.futures_premium ?? null,
    mvrv: input.onchain?.btc_mvrv_zscore ?? null,
  };
}

function expectClose(actual: number | undefined, expected: number): void {
  expect(Math.abs((actual ?? Number.NaN) - expected)).toBeLessThanOrEqual(file.tolerance);
}
