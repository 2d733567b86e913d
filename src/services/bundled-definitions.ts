import type { Definition } from "#domain/definition.ts";
import { definitionIdOf } from "#domain/ids.ts";

type Template = Omit<Definition, "id" | "version">;

const conviction: Omit<Template, "name" | "displayName" | "periodMinutes"> = {
  description:
    "Weighs macro, on-chain and technical analysis into one conviction score and buys or sells Bitcoin spot by it.",
  philosophy:
    "Small steps with the evidence: purchases of a fraction of the portfolio, larger only when the same view holds for long; out when conviction fades.",
  decisionAgent: "multi_agent_conviction",
  agents: [
    { name: "macro", required: false, weight: 0.4 },
    { name: "onchain", required: false, weight: 0.4 },
    { name: "ta", required: true, weight: 0.2 },
  ],
  tradeChannel: "binance_spot",
  symbols: ["BTC/USDT"],
  defaultParams: {
    agent_weights: { macro: 0.4, onchain: 0.4, ta: 0.2 },
    buy_threshold: 50,
    partial_sell_threshold: 50,
    full_sell_threshold: 45,
    consecutive_signal_threshold: 30,
    acceleration_multiplier_min: 1.1,
    acceleration_multiplier_max: 2,
    fg_circuit_breaker_threshold: 20,
    fg_position_adjust_threshold: 30,
  },
  catchUp: "one",
  isActive: true,
};

const momentum: Omit<Template, "name" | "displayName" | "periodMinutes"> = {
  description:
    "Follows momentum with a stop loss and a take profit, in a size the market regime allows.",
  philosophy:
    "Risk a fixed share of equity per trade, more in a healthy regime and less in a dangerous one, and let the bracket decide the exit.",
  decisionAgent: "momentum_regime",
  agents: [
    { name: "regime_filter", required: true, weight: 0.2 },
    { name: "ta_momentum", required: true, weight: 0.8 },
  ],
  tradeChannel: "binance_spot",
  symbols: ["BTC/USDT"],
  defaultParams: {
    base_risk_pct: 2,
    base_leverage: 3,
    max_leverage: 5,
    min_signal_strength: 0.6,
    min_confidence: 0.5,
    extreme_regime_threshold: 25,
    default_sl_atr_multiplier: 2,
    default_tp_rr: 2,
    min_tp_rr: 1.5,
    max_sl_distance_pct: 10,
    min_sl_distance_pct: 0.5,
    max_concurrent_positions: 3,
    cooldown_minutes: 60,
  },
  catchUp: "one",
  isActive: true,
};

const templates: readonly Template[] = [
  {
    ...conviction,
    name: "multi_agent_btc_v1",
    displayName: "Multi-Agent BTC Strategy",
    periodMinutes: 10,
  },
  {
    ...momentum,
    name: "momentum_regime_btc_v1",
    displayName: "H.I.M.E. Momentum Strategy",
    periodMinutes: 15,
  },
  {
    ...conviction,
    name: "multi_agent_btc_daily",
    displayName: "Multi-Agent BTC, Daily",
    periodMinutes: 1440,
  },
  {
    ...momentum,
    name: "momentum_regime_btc_daily",
    displayName: "Momentum & Regime BTC, Daily",
    periodMinutes: 1440,
    // A daily bar's range is many times a quarter of an hour's: the bracket must be let that wide.
    defaultParams: { ...momentum.defaultParams, max_leverage: 3, max_sl_distance_pct: 25 },
  },
];

/** The templates every installation starts with; synced by name at each start. */
export const bundledDefinitions: readonly Definition[] = templates.map((template) => ({
  ...template,
  id: definitionIdOf(template.name),
  version: 1,
}));
