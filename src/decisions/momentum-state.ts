import type { Protection } from "#domain/decision.ts";
import type { Json, JsonObject } from "#domain/json.ts";
import type { PortfolioView } from "#domain/portfolio.ts";

/** What `momentum_regime` carries from cycle to cycle. */
export interface MomentumState {
  /** Of the positions it opened; a decision replaces all protections at once, so all are kept. */
  protections: Protection[];
  /** When each symbol whose cooldown is not over was last traded, ms UTC. */
  lastTradeAt: Record<string, number>;
}

export interface MomentumMemory {
  state: MomentumState;
  /** A protected position is gone, so the strategy's protections must be replaced. */
  protectionsChanged: boolean;
}

/** Reads the state and forgets what no longer matters: closed positions, cooldowns that are over. */
export function recallState(
  state: JsonObject | null,
  portfolio: PortfolioView,
  cooldownFrom: number,
): MomentumMemory {
  const remembered = readProtections(state?.["protections"]);
  const held = new Set(portfolio.holdings.map(({ symbol }) => symbol));
  const protections = remembered.filter(({ symbol }) => held.has(symbol));
  const lastTradeAt = readTimes(state?.["last_trade_at"], cooldownFrom);
  return {
    state: { protections, lastTradeAt },
    protectionsChanged: protections.length !== remembered.length,
  };
}

/** The state after a trade of one symbol; `protection` replaces that symbol's. */
export function rememberTrade(
  state: MomentumState,
  trade: { symbol: string; at: number; protection: Protection | null },
): MomentumState {
  const { symbol, at, protection } = trade;
  const lastTradeAt = { ...state.lastTradeAt, [symbol]: at };
  if (protection === null) return { ...state, lastTradeAt };
  const others = state.protections.filter((other) => other.symbol !== symbol);
  return { protections: [...others, protection], lastTradeAt };
}

export function momentumStateToJson(state: MomentumState): JsonObject {
  return {
    protections: state.protections.map((protection) => ({ ...protection })),
    last_trade_at: { ...state.lastTradeAt },
  };
}

function readProtections(json: Json | undefined): Protection[] {
  if (!Array.isArray(json)) return [];
  return json.flatMap((entry) => {
    if (!isObject(entry) || typeof entry["symbol"] !== "string") return [];
    const { symbol, stopLoss, takeProfit } = entry;
    return [{ symbol, stopLoss: textOrNull(stopLoss), takeProfit: textOrNull(takeProfit) }];
  });
}

function readTimes(json: Json | undefined, from: number): Record<string, number> {
  const times: Record<string, number> = {};
  if (!isObject(json)) return times;
  for (const [symbol, at] of Object.entries(json)) {
    if (typeof at === "number" && at > from) times[symbol] = at;
  }
  return times;
}

function textOrNull(json: Json | undefined): string | null {
  return typeof json === "string" ? json : null;
}

function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
