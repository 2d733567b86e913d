import type { Loaded } from "@mikro-orm/core";
import { Decimal, decimal, type DecimalString, SCALE, toDecimalString } from "#domain/decimal.ts";
import { NotFoundError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import { Strategy } from "#entities/strategy.entity.ts";
import type { Database } from "#persistence/database.ts";
import type { StrategyListItem } from "./strategies.ts";

/** Everything about one strategy. */
export interface StrategyRecord extends StrategyListItem {
  paramsVersion: number;
  metadata: JsonObject;
  periodMinutes: number;
  shardId: string;
  /** A stop asked for and not yet carried out. */
  stopRequestedReason: string | null;
  archivedAt: number | null;
  updatedAt: number;
}

/** Archived ones too. @throws NotFoundError STRATEGY_NOT_FOUND */
export async function getStrategy(database: Database, strategyId: string): Promise<StrategyRecord> {
  const found = await findStrategy(database, strategyId);
  if (found === null) throw new NotFoundError("STRATEGY_NOT_FOUND", `no strategy ${strategyId}`);
  return found;
}

/** Archived ones too; null when there is none. */
export async function findStrategy(
  database: Database,
  strategyId: string,
): Promise<StrategyRecord | null> {
  return database.read(async (em) => {
    const populate = ["strategyDefinition", "user"] as const;
    const strategy = await em.findOne(Strategy, strategyId, { populate });
    return strategy === null ? null : recordOf(strategy);
  });
}

type StrategyWithParents = Loaded<Strategy, "strategyDefinition" | "user">;

function recordOf(strategy: StrategyWithParents): StrategyRecord {
  const { strategyDefinition, user } = strategy;
  return {
    id: strategy.id,
    name: strategy.instanceName,
    description: strategy.instanceDescription,
    definitionId: strategyDefinition.id,
    definitionName: strategyDefinition.name,
    definitionDisplayName: strategyDefinition.displayName,
    decisionAgent: strategyDefinition.decisionAgentClass,
    tradeChannel: strategyDefinition.tradeChannel,
    symbols: strategyDefinition.tradeSymbols,
    periodMinutes: strategyDefinition.rebalancePeriodMinutes,
    userId: user.id,
    ownerName: user.fullName,
    params: strategy.instanceParams,
    paramsVersion: strategy.paramsVersion,
    metadata: strategy.strategyMetadata,
    tradingMode: strategy.tradingMode,
    tags: strategy.tags,
    riskLevel: strategy.riskLevel,
    shardId: strategy.shard.id,
    isActive: strategy.isActive,
    archivedAt: strategy.archivedAt?.getTime() ?? null,
    createdAt: strategy.createdAt.getTime(),
    updatedAt: strategy.updatedAt.getTime(),
    ...lifeOf(strategy),
    ...moneyOf(strategy),
  };
}

function lifeOf(strategy: Strategy) {
  return {
    status: strategy.status,
    state: strategy.state,
    desiredStatus: strategy.desiredStatus,
    stopReason: strategy.stopReason ?? null,
    stopReasonDetail: strategy.stopReasonDetail ?? null,
    stopRequestedReason: strategy.stopRequestReason ?? null,
    cycleIndex: strategy.cycleIndex,
    lastExecutionAt: strategy.lastExecutionTime?.getTime() ?? null,
  };
}

function moneyOf(strategy: Strategy) {
  const { initialBalance, totalPnl, winRate = null } = strategy;
  return {
    initialBalance: plainDecimal(initialBalance),
    cash: plainDecimal(strategy.currentBalance),
    totalValue: plainDecimal(strategy.totalValue),
    realizedPnl: plainDecimal(strategy.realizedPnl),
    unrealizedPnl: plainDecimal(strategy.unrealizedPnl),
    totalPnl: plainDecimal(totalPnl),
    returnFraction: quotient(totalPnl, initialBalance),
    maxDrawdown: plainDecimal(strategy.maxDrawdown),
    peakValue: plainDecimal(strategy.peakValue),
    totalTrades: strategy.totalTrades,
    winningTrades: strategy.winningTrades,
    losingTrades: strategy.losingTrades,
    winRate: winRate === null ? null : plainDecimal(winRate),
  };
}

function plainDecimal(stored: string): DecimalString {
  return toDecimalString(decimal(stored));
}

/** Rounded as the server rounds it in the list: half away from zero. */
function quotient(dividend: string, divisor: string): DecimalString {
  const exact = decimal(dividend).dividedBy(divisor);
  return exact.toDecimalPlaces(SCALE, Decimal.ROUND_HALF_UP).toFixed();
}
