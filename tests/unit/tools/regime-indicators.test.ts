import { describe, expect, test } from "vitest";
import { z } from "zod";
import { classOf } from "#tools/regime.ts";
import { normaliseIndicator, type RegimeIndicator } from "#tools/regime-indicators.ts";
import { knownAnswers } from "#support/decision-fixtures.ts";

const file = knownAnswers(
  "automoney-regime-filter.json",
  z.object({
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
        expected: z.object({ normalized: z.record(z.string(), z.number()) }),
      }),
    ),
    classification: z.array(z.object({ regime_score: z.number(), classification: z.string() })),
  }),
);

type KnownInput = (typeof file.cases)[number]["input"];

describe("regime indicators", () => {
  // r40 holds no indicator at all, and the source reads an MVRV of exactly 0 as missing (r39).
  const cases = file.cases.flatMap(({ id, input, expected }) =>
    indicatorsOf(input)
      .filter(([name, value]) => !(name === "mvrv" && value === 0))
      .map(([name, value]) => ({ id, name, value, expected: expected.normalized[name] })),
  );

  test.each(cases)("$id: $name $value is scaled as recorded", ({ name, value, expected }) => {
    expect(normaliseIndicator(name, value)).toBeCloseTo(expected ?? NaN, 9);
  });

  test("an MVRV of 0 is a value, not a missing one", () => {
    expect(normaliseIndicator("mvrv", 0)).toBe(1);
  });

  test.each(file.classification)("a score of $regime_score is $classification", (known) => {
    expect(classOf(known.regime_score)).toBe(known.classification);
  });
});

function indicatorsOf({
  macro,
  sentiment,
  assets,
  onchain,
}: KnownInput): [RegimeIndicator, number][] {
  if (macro === undefined || sentiment === undefined) return [];
  if (assets === undefined || onchain === undefined) return [];
  return [
    ["dxy", macro.dxy],
    ["fed_rate", macro.fed_rate],
    ["fear_greed", sentiment.fear_greed_value],
    ["funding_rate", assets.BTC.funding_rate],
    ["open_interest", assets.BTC.open_interest_change_24h],
    ["futures_premium", assets.BTC.futures_premium],
    ["mvrv", onchain.btc_mvrv_zscore],
  ];
}
