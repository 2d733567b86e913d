import type { JsonObject } from "#domain/json.ts";
import type { Services } from "#services/services.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";

const CHUNK = 500;

/** Half of the strategies follow conviction, half momentum, with params that make them disagree. */
export const CASTS: Readonly<Record<string, (index: number) => JsonObject>> = {
  multi_agent_btc_daily: (index) => ({
    buy_threshold: 45 + (index % 10),
    full_sell_threshold: 35 + (index % 8),
    consecutive_signal_threshold: 5 + (index % 20),
    fg_circuit_breaker_threshold: (index % 4) * 5,
  }),
  momentum_regime_btc_daily: (index) => ({
    base_risk_pct: 1 + (index % 5) / 2,
    min_signal_strength: 0.4 + (index % 8) / 20,
    default_tp_rr: 2 + (index % 3) / 2,
    cooldown_minutes: 60 * (1 + (index % 48)),
  }),
};

/** Creates `count` strategies on the bundled daily definitions. */
export async function populate(services: Services, count: number): Promise<void> {
  const user = await services.localUser();
  const owner = { userId: user.id, actor: user.email };
  const definitions = bundledDefinitions.filter(({ name }) => name in CASTS);
  for (const [position, definition] of definitions.entries()) {
    const share = Math.floor((count + position) / definitions.length);
    const requests = Array.from({ length: share }, (_, index) => ({
      name: `${definition.displayName} ${index + 1}`,
      initialBalance: "10000",
      params: CASTS[definition.name]?.(index) ?? {},
    }));
    for (let from = 0; from < share; from += CHUNK) {
      await services.strategies.createAll(definition, owner, requests.slice(from, from + CHUNK));
    }
  }
}
