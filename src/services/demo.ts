import type { Definition } from "#domain/definition.ts";
import type { StrategyService, NewStrategyRequest } from "./strategies.ts";

const BALANCE = "10000";

const conviction = (name: string, params: NewStrategyRequest["params"] = {}) =>
  ({ name, params, initialBalance: BALANCE, tags: ["demo"] }) satisfies NewStrategyRequest;

/** Twelve strategies that disagree: the same analysis, different characters. */
const CASTS: Readonly<Record<string, readonly NewStrategyRequest[]>> = {
  multi_agent_btc_daily: [
    conviction("By the book"),
    conviction("Patient", { buy_threshold: 60, full_sell_threshold: 40 }),
    conviction("Eager", { buy_threshold: 45, full_sell_threshold: 35 }),
    conviction("Quick to double down", {
      consecutive_signal_threshold: 5,
      acceleration_multiplier_max: 5,
    }),
    conviction("Fearless", { fg_circuit_breaker_threshold: 0, fg_position_adjust_threshold: 0 }),
    conviction("Nervous", { fg_circuit_breaker_threshold: 35, full_sell_threshold: 49 }),
  ],
  momentum_regime_btc_daily: [
    conviction("Trend rider"),
    conviction("Half risk", { base_risk_pct: 1 }),
    conviction("Double risk", { base_risk_pct: 4 }),
    conviction("Only strong signals", { min_signal_strength: 0.75 }),
    conviction("Long targets", { default_tp_rr: 3, min_tp_rr: 2 }),
    conviction("Cooling off for a week", { cooldown_minutes: 10_080 }),
  ],
};

/** Creates the demo's strategies; returns how many. */
export async function seedDemo(
  strategies: StrategyService,
  definitions: readonly Definition[],
  owner: { userId: string; actor: string },
): Promise<number> {
  let created = 0;
  for (const definition of definitions) {
    const cast = CASTS[definition.name] ?? [];
    if (cast.length === 0) continue;
    created += (await strategies.createAll(definition, owner, cast)).length;
  }
  return created;
}
