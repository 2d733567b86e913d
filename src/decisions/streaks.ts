import type { JsonObject } from "#domain/json.ts";

/** How often in a row the same clear signal came. At most one of the two counts is above zero. */
export interface Streaks {
  bullishCount: number;
  /** When the count left zero, ms UTC. */
  bullishSince: number | null;
  bearishCount: number;
  bearishSince: number | null;
  /** Conviction of the last cycle that had one, 0..100. */
  lastScore: number | null;
}

/** Convictions from which a cycle counts. */
export interface StreakThresholds {
  buy: number;
  fullSell: number;
}

export const NO_STREAKS: Streaks = {
  bullishCount: 0,
  bullishSince: null,
  bearishCount: 0,
  bearishSince: null,
  lastScore: null,
};

/**
 * A BUY at or above `buy` lengthens the bullish streak, a SELL below `fullSell` the bearish one;
 * anything else (a partial sell, a HOLD) ends both.
 */
export function nextStreaks(
  previous: Streaks,
  cycle: { signal: string; score: number; at: number },
  thresholds: StreakThresholds,
): Streaks {
  const { signal, score, at } = cycle;
  if (signal === "BUY" && score >= thresholds.buy) {
    const bullishSince = previous.bullishCount === 0 ? at : previous.bullishSince;
    const bullishCount = previous.bullishCount + 1;
    return { ...NO_STREAKS, bullishCount, bullishSince, lastScore: score };
  }
  if (signal === "SELL" && score < thresholds.fullSell) {
    const bearishSince = previous.bearishCount === 0 ? at : previous.bearishSince;
    const bearishCount = previous.bearishCount + 1;
    return { ...NO_STREAKS, bearishCount, bearishSince, lastScore: score };
  }
  return { ...NO_STREAKS, lastScore: score };
}

/** Streaks as a decision carries them to the next cycle. */
export function streaksToState(streaks: Streaks): JsonObject {
  return {
    consecutive_bullish_count: streaks.bullishCount,
    consecutive_bullish_since: streaks.bullishSince,
    consecutive_bearish_count: streaks.bearishCount,
    consecutive_bearish_since: streaks.bearishSince,
    last_conviction_score: streaks.lastScore,
  };
}

/** Reads what `streaksToState` wrote; whatever is not there starts at nothing. */
export function streaksFromState(state: JsonObject | null): Streaks {
  if (state === null) return NO_STREAKS;
  return {
    bullishCount: numberIn(state, "consecutive_bullish_count") ?? 0,
    bullishSince: numberIn(state, "consecutive_bullish_since"),
    bearishCount: numberIn(state, "consecutive_bearish_count") ?? 0,
    bearishSince: numberIn(state, "consecutive_bearish_since"),
    lastScore: numberIn(state, "last_conviction_score"),
  };
}

function numberIn(state: JsonObject, key: string): number | null {
  const value = state[key];
  return typeof value === "number" ? value : null;
}
