import type { JsonObject } from "#domain/json.ts";
import type { PlanItem } from "#domain/trading.ts";
import type { Panel } from "./agent-weights.ts";
import type { Conviction } from "./conviction.ts";
import type { TradeSignal } from "./signal.ts";

/** Everything one conviction cycle came to. */
export interface ConvictionOutcome {
  panel: Panel;
  conviction: Conviction;
  signal: TradeSignal;
  items: PlanItem[];
  /** Why a signal that wanted to trade did not; null when it did or did not want to. */
  obstacle: string | null;
}

/** One paragraph for people: what the agents said, what follows and why. */
export function explainConviction(outcome: ConvictionOutcome): string {
  const { panel, conviction, signal, obstacle } = outcome;
  const voices = panel.voices.map(
    ({ agent, score, weight }) => `${agent} ${score.toFixed(0)} × ${weight.toFixed(2)}`,
  );
  const parts = [
    `The agents say ${voices.join(", ")}; market risk scales that by ${conviction.riskFactor.toFixed(2)}.`,
  ];
  if (panel.missing.length > 0) {
    const names = panel.missing.map(({ agent }) => agent).join(", ");
    parts.push(`Without ${names} the others count for more and the confidence is lower.`);
  }
  parts.push(...signal.reasons);
  if (obstacle !== null) parts.push(obstacle);
  parts.push(`Risk is ${signal.riskLevel.toLowerCase()}.`);
  return parts.join(" ");
}

/** The numbers stored with the cycle. */
export function convictionDetails(outcome: ConvictionOutcome): JsonObject {
  const { panel, conviction, signal, items } = outcome;
  const weights = panel.voices.map(({ agent, weight }) => [agent, weight] as const);
  return {
    conviction_score: conviction.score,
    raw_weighted_score: conviction.raw,
    adjusted_score: conviction.adjusted,
    risk_factor: conviction.riskFactor,
    factors: {
      fear_greed: conviction.factors.fearGreed,
      volatility: conviction.factors.volatility,
      dollar_index: conviction.factors.dollarIndex,
    },
    contributions: conviction.contributions,
    weights_used: Object.fromEntries(weights),
    missing_agents: panel.missing.map(({ agent }) => agent),
    confidence: panel.confidence,
    branch: signal.branch,
    signal_strength: signal.strength,
    position_size: signal.size,
    position_multiplier: signal.multiplier,
    is_accelerated: signal.accelerated,
    consecutive_count: signal.bullishCount,
    risk_level: signal.riskLevel,
    should_execute: items.length > 0,
  };
}
