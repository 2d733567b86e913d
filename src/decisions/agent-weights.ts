import type { AgentOutput, Analysis } from "#domain/analysis.ts";
import type { AgentUse } from "#domain/decision.ts";
import { clamp, type WeightedScore } from "./conviction.ts";
import { sumsToOne } from "./params.ts";

export interface MissingAgent {
  agent: string;
  required: boolean;
  reason: string;
}

/** What the agents of one tick say together. */
export interface Panel {
  /** Those that gave a reading, with weights that add up to 1. */
  voices: WeightedScore[];
  missing: MissingAgent[];
  /** 0..1: weighted confidence of the present; a missing agent counts as no confidence at all. */
  confidence: number;
}

/** Doubles add up differently in another order; the known answers are in this one. */
const SUMMATION_ORDER = ["macro", "onchain", "ta"];

interface Voice extends WeightedScore {
  confidence: number;
}

/**
 * Weighs the agents that gave a reading. A weight in `overrides` wins over the definition's; the
 * weights of the present are scaled to add up to 1 when somebody is missing.
 */
export function weighAgents(
  agents: readonly AgentUse[],
  analysis: Analysis,
  overrides: Readonly<Record<string, number>>,
): Panel {
  const present: Voice[] = [];
  const missing: MissingAgent[] = [];
  let totalWeight = 0;
  for (const { name, required, weight: own } of inSummationOrder(agents)) {
    const weight = overrides[name] ?? own;
    const output = analysis[name];
    totalWeight += weight;
    if (output?.status === "ok" && Number.isFinite(output.score)) {
      const { score, confidence } = output;
      present.push({ agent: name, score, weight, confidence: clamp(confidence || 0, 0, 1) });
    } else {
      missing.push({ agent: name, required, reason: whyMissing(output) });
    }
  }
  return {
    voices: normalised(present, missing.length === 0),
    missing,
    confidence: confidenceOf(present, totalWeight),
  };
}

function inSummationOrder(agents: readonly AgentUse[]): AgentUse[] {
  return agents.toSorted((a, b) => rank(a.name) - rank(b.name));
}

function rank(name: string): number {
  const index = SUMMATION_ORDER.indexOf(name);
  return index === -1 ? SUMMATION_ORDER.length : index;
}

function whyMissing(output: AgentOutput | undefined): string {
  if (output === undefined) return "it did not run";
  if (output.status === "ok") return "its score is not a number";
  return `${output.status}: ${output.reason}`;
}

function normalised(voices: Voice[], complete: boolean): WeightedScore[] {
  const weights = voices.map(({ weight }) => weight);
  if (complete && sumsToOne(weights)) return voices;
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum === 0) return [];
  return voices.map(({ agent, score, weight }) => ({ agent, score, weight: weight / sum }));
}

function confidenceOf(voices: Voice[], totalWeight: number): number {
  if (totalWeight === 0) return 0;
  const sum = voices.reduce((total, { weight, confidence }) => total + weight * confidence, 0);
  return clamp(sum / totalWeight, 0, 1);
}
