import type { AgentUse } from "./decision.ts";
import type { JsonObject } from "./json.ts";

/** A strategy template. */
export interface Definition {
  id: string;
  /** Unique, e.g. `multi_agent_btc_v1`. */
  name: string;
  displayName: string;
  description: string;
  philosophy: string;
  /** Registered name of the decision agent. */
  decisionAgent: string;
  agents: AgentUse[];
  /** Registered name of the trade channel. */
  tradeChannel: string;
  symbols: string[];
  periodMinutes: number;
  defaultParams: JsonObject;
  /** +1 at each edit. */
  version: number;
  /** After downtime: run the latest missed tick once, or wait for the next one. */
  catchUp: "one" | "skip";
  isActive: boolean;
}
