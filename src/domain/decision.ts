import type { Analysis } from "./analysis.ts";
import type { DecimalString } from "./decimal.ts";
import type { JsonObject } from "./json.ts";
import type { MarketSnapshot } from "./market.ts";
import type { PortfolioView } from "./portfolio.ts";
import type { MarketType, PlanItem } from "./trading.ts";

/** How a definition uses one business agent. */
export interface AgentUse {
  name: string;
  /** Required and missing: HOLD with a reason. Optional and missing: weights renormalised. */
  required: boolean;
  /** 0..1; the decision agent's params may override it. */
  weight: number;
}

/** Everything a decision may depend on; nothing else may enter it (I15). */
export interface DecisionInput<Params> {
  tick: { id: string; scheduledFor: number };
  symbols: string[];
  agents: AgentUse[];
  analysis: Analysis;
  market: MarketSnapshot;
  marketType: MarketType;
  portfolio: PortfolioView;
  params: Params;
  /** What the previous cycle's decision left, or null on the first cycle. */
  state: JsonObject | null;
  /** Derived from strategy and tick; the only source of chance. */
  seed: string;
}

/** A price at which an open position must be closed, checked on every tick before the decision. */
export interface Protection {
  symbol: string;
  /** Quote currency; null: none. */
  stopLoss: DecimalString | null;
  takeProfit: DecimalString | null;
}

export type DecisionSignal = "BUY" | "SELL" | "LONG" | "SHORT" | "HOLD";

export interface Decision {
  signal: DecisionSignal;
  items: PlanItem[];
  /** For people: one paragraph that says why. */
  rationale: string;
  warnings: string[];
  /** The decision agent's numbers (score, strength, size, …), stored with the cycle. */
  details: JsonObject;
  /** Carried to the next cycle. */
  state: JsonObject | null;
  /** Replaces the strategy's protections when given. */
  protections?: Protection[];
}
