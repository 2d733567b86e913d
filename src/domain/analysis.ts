import type { JsonObject } from "./json.ts";

export const AgentSignal = { bullish: "BULLISH", bearish: "BEARISH", neutral: "NEUTRAL" } as const;
export type AgentSignal = (typeof AgentSignal)[keyof typeof AgentSignal];

/** Where a number an agent used came from. */
export interface Provenance {
  source: string;
  /** When the datum was true, ms UTC. */
  at: number;
  /** Computed from other data rather than published by its source. */
  derived: boolean;
}

/** What an agent says when it could do its work. */
export interface AgentReading {
  signal: AgentSignal;
  /** How sure of the reading, 0..1. */
  confidence: number;
  /** How much to buy (+) or sell (−), −100..100. */
  score: number;
  reasoning: string;
  /** Agent-specific numbers, plain JSON. */
  data: JsonObject;
  provenance: Provenance[];
}

/** `unavailable`: the agent's source is not there; `failed`/`timeout`: it is, but did not answer. */
export type AgentOutput =
  | ({ agent: string; status: "ok"; durationMs: number } & AgentReading)
  | {
      agent: string;
      status: "failed" | "timeout" | "unavailable";
      reason: string;
      durationMs: number;
    };

/** The frozen result of one tick's analysis: one output per business agent, by agent name. */
export type Analysis = Record<string, AgentOutput>;
