import type { Definition } from "#domain/definition.ts";
import { DomainError } from "#domain/errors.ts";
import { demoStrategyIdOf } from "#domain/ids.ts";
import type { StrategyService, NewStrategyRequest } from "./strategies.ts";

const BALANCE = "10000";

const member = (name: string, params: NewStrategyRequest["params"] = {}) =>
  ({ name, params, initialBalance: BALANCE, tags: ["demo"] }) satisfies NewStrategyRequest;

/** Twelve strategies that disagree: the same analysis, different characters. */
const CASTS: Readonly<Record<string, readonly NewStrategyRequest[]>> = {
  multi_agent_btc_daily: [
    member("By the book"),
    member("Patient", { buy_threshold: 60, full_sell_threshold: 40 }),
    member("Eager", { buy_threshold: 45, full_sell_threshold: 35 }),
    member("Quick to double down", {
      consecutive_signal_threshold: 5,
      acceleration_multiplier_max: 5,
    }),
    member("Sceptic", { buy_threshold: 70, full_sell_threshold: 55 }),
    member("True believer", {
      buy_threshold: 40,
      full_sell_threshold: 10,
      consecutive_signal_threshold: 3,
      acceleration_multiplier_min: 3,
      acceleration_multiplier_max: 5,
    }),
  ],
  momentum_regime_btc_daily: [
    member("Trend rider"),
    member("Half risk", { base_risk_pct: 1 }),
    member("Double risk", { base_risk_pct: 4 }),
    member("Fair weather", { extreme_regime_threshold: 60 }),
    member("Close stops", { max_sl_distance_pct: 10 }),
    member("A month to cool off", { cooldown_minutes: 43_200 }),
  ],
};

/** Strategies stored in one transaction. */
const CHUNK = 500;

type Owner = Parameters<StrategyService["createAll"]>[1];

/**
 * The demo's strategies for a database that has none; returns how many this call created. Their ids
 * are derived, so of nodes that start at once the first one creates each template's, and no other.
 */
export async function seedDemoOnce(
  strategies: StrategyService,
  definitions: readonly Definition[],
  owner: Owner,
): Promise<number> {
  let created = 0;
  for (const definition of definitions) {
    const requests = (CASTS[definition.name] ?? []).map((request) => ({
      ...request,
      strategyId: demoStrategyIdOf(definition.id, request.name),
    }));
    if (requests.length === 0) continue;
    created += await strategies.createAll(definition, owner, requests).then(
      (ids) => ids.length,
      (error: unknown) => {
        if (error instanceof DomainError && error.code === "DUPLICATE") return 0;
        throw error;
      },
    );
  }
  return created;
}

/** Creates the demo's strategies, or `count` of them over and over; returns how many. */
export async function seedDemo(
  strategies: StrategyService,
  definitions: readonly Definition[],
  { count, ...owner }: Owner & { count?: number },
): Promise<number> {
  const troupe = definitions.flatMap((definition) =>
    (CASTS[definition.name] ?? []).map((request) => ({ definition, request })),
  );
  const wanted = Array.from({ length: count ?? troupe.length }, (_, index) => index).flatMap(
    (index) => {
      const chosen = troupe[index % troupe.length];
      return chosen === undefined ? [] : [numbered(chosen, Math.floor(index / troupe.length))];
    },
  );
  for (const [definition, members] of Map.groupBy(wanted, (chosen) => chosen.definition)) {
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
