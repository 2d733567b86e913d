import { hash } from "node:crypto";

// Derived, not random: the same thing done again has the same id and collides (I2).
const NAMESPACE = Buffer.from("6a1d4f0e6f0f5a529d0e7a5b1f3c9e21", "hex");

/** UUID version 5 (RFC 9562): made many times per cycle, hence of Node's one-shot hash. */
function derive(...parts: (string | number)[]): string {
  const name = Buffer.from(parts.join("/"));
  const digest = hash("sha1", Buffer.concat([NAMESPACE, name]), "hex");
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `5${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join("-");
}

export const tickIdOf = (definitionId: string, scheduledFor: number): string =>
  derive("tick", definitionId, scheduledFor);

/** A cycle's identity: its tick, or what else caused it (`stop/<command id>`). */
export const composeIdOf = (strategyId: string, cause: string): string =>
  derive("cycle", strategyId, cause);

export const instructionIdOf = (composeId: string, index: number): string =>
  derive("instruction", composeId, index);

export const tradeIdOf = (instructionId: string, fillIndex: number, legNumber: number): string =>
  derive("trade", instructionId, fillIndex, legNumber);

export const agentRunIdOf = (tickId: string, agent: string): string =>
  derive("agent-run", tickId, agent);

export const definitionIdOf = (name: string): string => derive("definition", name);

/** Of one of the strategies an empty database is given: two nodes that start at once give it the same. */
export const demoStrategyIdOf = (definitionId: string, name: string): string =>
  derive("demo", definitionId, name);

/** 32 hex characters: every exchange we know takes them as a client order id. */
export const clientOrderIdOf = (instructionId: string): string => instructionId.replaceAll("-", "");

/** Seed for a decision's only source of chance. */
export const seedOf = (strategyId: string, tickId: string): string =>
  derive("seed", strategyId, tickId);

export const isUuid = (text: string): boolean =>
  /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
