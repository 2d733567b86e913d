import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  NO_STREAKS,
  nextStreaks,
  streaksFromState,
  streaksToState,
  type Streaks,
  type StreakThresholds,
} from "#decisions/streaks.ts";
import { knownAnswers } from "#support/decision-fixtures.ts";

const file = knownAnswers(
  "automoney-consecutive.json",
  z.object({
    sequences: z.array(
      z.object({
        id: z.string(),
        initial: z.object({
          bullish: z.number(),
          bearish: z.number(),
          instance_params: z.record(z.string(), z.number()),
        }),
        steps: z.array(
          z.object({
            signal: z.string(),
            score: z.number(),
            bullish: z.number(),
            bearish: z.number(),
            bullish_since_set: z.boolean(),
            bearish_since_set: z.boolean(),
            last_conviction_score: z.number(),
          }),
        ),
      }),
    ),
  }),
);
type Sequence = (typeof file.sequences)[number];

/** The source counts by these whatever the strategy's own thresholds are. */
const SOURCE_THRESHOLDS: StreakThresholds = { buy: 50, fullSell: 45 };

describe("streak counters", () => {
  test.each(file.sequences)("follow the known sequence $id", (sequence) => {
    const results = run(sequence, SOURCE_THRESHOLDS);
    expect(results.map(summary)).toEqual(
      sequence.steps.map((step) => ({
        bullish: step.bullish,
        bearish: step.bearish,
        bullishSince: step.bullish_since_set,
        bearishSince: step.bearish_since_set,
        lastScore: step.last_conviction_score,
      })),
    );
  });

  test.each([
    ["k05_custom_buy_45_score_47", { bullish: 2, bearish: 0 }],
    ["k06_custom_full_40_score_43_partial", { bullish: 0, bearish: 0 }],
    ["k07_custom_full_48_score_46", { bullish: 0, bearish: 1 }],
  ])("count by the strategy's own thresholds in %s", (id, expected) => {
    const sequence = file.sequences.find((candidate) => candidate.id === id);
    if (sequence === undefined) throw new Error(`no sequence ${id}`);
    const { buy_threshold: buy = 50, full_sell_threshold: fullSell = 45 } =
      sequence.initial.instance_params;
    expect(summaryOfLast(run(sequence, { buy, fullSell }))).toMatchObject(expected);
  });

  test("remember when a streak began, not when it last grew", () => {
    const first = nextStreaks(NO_STREAKS, { signal: "BUY", score: 60, at: 1 }, SOURCE_THRESHOLDS);
    const second = nextStreaks(first, { signal: "BUY", score: 60, at: 2 }, SOURCE_THRESHOLDS);
    expect(second).toMatchObject({ bullishCount: 2, bullishSince: 1 });
  });

  test("survive the way through the stored state", () => {
    const streaks: Streaks = { ...NO_STREAKS, bearishCount: 3, bearishSince: 7, lastScore: 12.5 };
    expect(streaksFromState(streaksToState(streaks))).toEqual(streaks);
    expect(streaksFromState(null)).toEqual(NO_STREAKS);
  });
});

function run({ initial, steps }: Sequence, thresholds: StreakThresholds): Streaks[] {
  let streaks: Streaks = {
    ...NO_STREAKS,
    bullishCount: initial.bullish,
    bearishCount: initial.bearish,
  };
  return steps.map(({ signal, score }, index) => {
    streaks = nextStreaks(streaks, { signal, score, at: index + 1 }, thresholds);
    return streaks;
  });
}

function summary(streaks: Streaks) {
  return {
    bullish: streaks.bullishCount,
    bearish: streaks.bearishCount,
    bullishSince: streaks.bullishSince !== null,
    bearishSince: streaks.bearishSince !== null,
    lastScore: streaks.lastScore,
  };
}

function summaryOfLast(results: Streaks[]) {
  const last = results.at(-1);
  return last === undefined ? null : summary(last);
}
