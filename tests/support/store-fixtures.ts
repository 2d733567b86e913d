import { randomUUID } from "node:crypto";
import type { Cycle, Instruction } from "#domain/cycle.ts";
import type { Definition } from "#domain/definition.ts";
import { clientOrderIdOf, composeIdOf, instructionIdOf, tradeIdOf } from "#domain/ids.ts";
import type { Holding, Ledger, PortfolioView, TradeLeg } from "#domain/portfolio.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { Database } from "#persistence/database.ts";
import { upsertDefinition } from "#persistence/repositories/definitions.repository.ts";
import { createStrategies } from "#persistence/repositories/strategies.repository.ts";
import { ensureUser } from "#persistence/repositories/users.repository.ts";
import type { MemberWrite, ShardCommit } from "#ports/store.ts";
import { recordingClaim } from "./recording-queue.ts";

// Well-formed records of what strategies did, for tests that are about storing them.

export const symbols = ["ADA/USDT", "BTC/USDT", "ETH/USDT"];

export function definitionContent(name = "three_coins"): Omit<Definition, "id" | "version"> {
  return {
    name,
    displayName: "Three coins",
    description: "Holds three coins",
    philosophy: "",
    decisionAgent: "multi_agent_conviction",
    agents: [{ name: "ta", required: true, weight: 1 }],
    tradeChannel: "binance_spot",
    symbols,
    periodMinutes: 10,
    defaultParams: { buy_threshold: 50 },
    catchUp: "one",
    isActive: true,
  };
}

export function envelopeAt(strategyId: string, cycleIndex: number): SnapshotEnvelope {
  const context = { strategyId, cycleIndex, ledger: ledgerOf(cycleIndex) };
  const snapshot = JSON.stringify({ status: "active", value: "running", context });
  return { machine: "strategy", version: 2, hash: "0".repeat(64), value: "running", snapshot };
}

export function ledgerOf(cycleIndex: number): Ledger {
  return {
    marketType: "spot",
    initialBalance: "10000",
    cash: "4000.5",
    realizedPnl: "12.25",
    feesPaid: "3.1",
    fundingNet: "0",
    externalTransfers: "0",
    positions: Object.fromEntries(
      symbols.map((symbol, index) => [
        symbol,
        {
          symbol,
          quantity: `${index + 1}.123456789012345678`,
          cost: "2000",
          entryFees: "2",
          leverage: 1,
          entryAt: 1_700_000_000_123,
          markPrice: "1999.99",
          markAt: 1_700_000_000_123,
        },
      ]),
    ),
    peakEquity: "10100",
    maxDrawdown: "0.015",
    totalTrades: cycleIndex,
    winningTrades: 2,
    losingTrades: 1,
  };
}

export interface CycleOptions {
  tickId?: string | null;
  composeTime?: number;
  orders?: number;
  totalValue?: string;
}

/** A cycle that bought some of every symbol. */
export function cycleOf(
  strategyId: string,
  cycleIndex: number,
  { tickId = null, composeTime, orders = 3, totalValue = "10012.5" }: CycleOptions = {},
): Cycle {
  const at = composeTime ?? 1_700_000_000_123 + cycleIndex * 60_000;
  const composeId = composeIdOf(strategyId, tickId ?? `manual/${cycleIndex}`);
  const traded = symbols.slice(0, orders);
  const instructions = traded.map((symbol, index) => instructionOf(composeId, symbol, index));
  return {
    composeId,
    strategyId,
    tickId,
    cause: tickId === null ? "manual" : "tick",
    cycleIndex,
    composeTime: at,
    status: "completed",
    rationale: "conviction 61.4, above the threshold; bought a tenth of the portfolio. ".repeat(4),
    decision: {
      signal: "BUY",
      items: traded.map((symbol) => ({ symbol, action: "open_long", quantity: "0.5" })),
      warnings: [],
      details: { conviction: 61.4, strength: 0.7 },
    },
    stateBefore: { consecutiveBullish: 3 },
    paramsVersion: 1,
    definitionVersion: 1,
    error: null,
    durationMs: 12.5,
    instructions,
    answered: [],
    legs: instructions.map((instruction) => legOf(instruction, at)),
    view: viewOf(at, totalValue),
    ledger: ledgerOf(cycleIndex),
  };
}

function instructionOf(composeId: string, symbol: string, index: number): Instruction {
  const instructionId = instructionIdOf(composeId, index);
  return {
    instructionId,
    index,
    symbol,
    action: "open_long",
    side: "BUY",
    quantity: "0.5",
    leverage: 1,
    priceMode: "market",
    limitPrice: null,
    reduceOnly: false,
    clientOrderId: clientOrderIdOf(instructionId),
    note: null,
    status: "filled",
    reason: null,
    exchangeOrderId: null,
    filledQuantity: "0.5",
    averagePrice: "2000.01",
    fee: "1",
  };
}

function legOf({ instructionId, symbol }: Instruction, at: number): TradeLeg {
  return {
    tradeId: tradeIdOf(instructionId, 0, 1),
    instructionId,
    legNumber: 1,
    symbol,
    kind: "open",
    type: "LONG",
    side: "BUY",
    quantity: "0.5",
    leverage: 1,
    entryPrice: "2000.01",
    exitPrice: null,
    notionalEntry: "1000.005",
    notionalExit: null,
    feeCost: "1",
    realizedPnl: null,
    realizedPnlPct: null,
    entryAt: at,
    exitAt: null,
    holdingMs: null,
    eventAt: at,
  };
}

function viewOf(at: number, totalValue: string): PortfolioView {
  return {
    at,
    cash: "4000.5",
    totalValue,
    realizedPnl: "12.25",
    unrealizedPnl: "0.25",
    grossExposure: "6000",
    netExposure: "6000",
    buyingPower: "4000.5",
    holdings: symbols.map((symbol) => holdingOf(symbol, at)),
  };
}

function holdingOf(symbol: string, entryAt: number): Holding {
  return {
    symbol,
    type: "LONG",
    quantity: "1.123456789012345678",
    leverage: 1,
    entryPrice: "2000.01",
    cost: "2000",
    markPrice: "1999.99",
    markQuality: "fresh",
    notional: "2000",
    unrealizedPnl: "0.25",
    unrealizedPnlPct: "0.000125",
    entryAt,
    liquidationPrice: null,
  };
}

/** The write of a strategy's next cycle. */
export function writeOf(strategyId: string, cycle: Cycle, seq = cycle.cycleIndex): MemberWrite {
  return {
    strategyId,
    state: "running",
    stopReason: null,
    stopReasonDetail: null,
    envelope: envelopeAt(strategyId, cycle.cycleIndex),
    seq,
    cycle,
  };
}

export interface Population {
  definition: Definition;
  userId: string;
  strategyIds: string[];
}

/** A definition with `count` strategies of one user. */
export async function populate(
  database: Database,
  { count, name, shardSize = 100 }: { count: number; name?: string; shardSize?: number },
): Promise<Population> {
  const definition = await upsertDefinition(database, definitionContent(name));
  const user = { email: "trader@example.test", fullName: "Tess Trader", role: "trader" } as const;
  const { id: userId } = await ensureUser(database, user);
  const strategyIds = Array.from({ length: count }, () => randomUUID());
  await createStrategies(database, {
    definitionId: definition.id,
    shardSize,
    actor: userId,
    strategies: strategyIds.map((id, index) => ({
      id,
      userId,
      name: `strategy ${String(index).padStart(5, "0")}`,
      params: { buy_threshold: 50 },
      initialBalance: "10000",
      envelope: envelopeAt(id, 0),
    })),
  });
  return { definition, userId, strategyIds };
}

/** A commit of these writes, to be changed where a test needs it otherwise. */
export function commitOf(
  shardId: string,
  version: number,
  writes: readonly MemberWrite[],
): ShardCommit {
  return {
    claim: recordingClaim(),
    finish: true,
    shardId,
    version,
    tickId: null,
    writes,
    alerts: [],
    replace: () => null,
  };
}
