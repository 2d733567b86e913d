import { parse, v5 } from "uuid";

// Derived, not random: the same thing done again has the same id and collides (I2).
const NAMESPACE = parse("6a1d4f0e-6f0f-5a52-9d0e-7a5b1f3c9e21");

const derive = (...parts: (string | number)[]): string => v5(parts.join("/"), NAMESPACE);

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

/** 32 hex characters: every exchange we know takes them as a client order id. */
export const clientOrderIdOf = (instructionId: string): string => instructionId.replaceAll("-", "");

/** Seed for a decision's only source of chance. */
export const seedOf = (strategyId: string, tickId: string): string =>
  derive("seed", strategyId, tickId);
