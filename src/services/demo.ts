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

/** Strategies stored in one transaction. */
const CHUNK = 500;

/** Creates the demo's strategies, or `count` of them over and over; returns how many. */
export async function seedDemo(
  strategies: StrategyService,
  definitions: readonly Definition[],
  { count, ...owner }: { userId: string; actor: string; count?: number },
): Promise<number> {
  const troupe = definitions.flatMap((definition) =>
    (CASTS[definition.name] ?? []).map((request) => ({ definition, request })),
  );
  const wanted = Array.from({ length: count ?? troupe.length }, (_, index) => index).flatMap(
    (index) => {
      const member = troupe[index % troupe.length];
      return member === undefined ? [] : [numbered(member, Math.floor(index / troupe.length))];
    },
  );
  for (const [definition, members] of Map.groupBy(wanted, (member) => member.definition)) {
    for (let start = 0; start < members.length; start += CHUNK) {
      const requests = members.slice(start, start + CHUNK).map(({ request }) => request);
      await strategies.createAll(definition, owner, requests);
    }
  }
  return wanted.length;
}

function numbered(
  { definition, request }: { definition: Definition; request: NewStrategyRequest },
  round: number,
) {
  const name = round === 0 ? request.name : `${request.name} ${round + 1}`;
  return { definition, request: { ...request, name } };
}
