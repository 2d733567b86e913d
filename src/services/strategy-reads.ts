import { DomainError } from "#domain/errors.ts";
import type { TooSmall } from "#domain/order-size.ts";
import type { Decisions, Named } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import {
  getCycle,
  listCycles,
  type CycleDetail,
  type CycleRecord,
} from "#persistence/queries/cycles.ts";
import type { Page, PageRequest } from "#persistence/queries/page.ts";
import { strategyPerformance, type StrategyPerformance } from "#persistence/queries/performance.ts";
import {
  equityCurve,
  getView,
  portfolioSummary,
  type EquityCurvePoint,
  type PortfolioSummary,
  type StoredView,
} from "#persistence/queries/portfolio.ts";
import {
  countStrategies,
  listStrategies,
  type StrategyFilter,
  type StrategyListItem,
} from "#persistence/queries/strategies.ts";
import { getStrategy, type StrategyRecord } from "#persistence/queries/strategy-record.ts";
import { listTrades, type StoredLeg } from "#persistence/queries/trades.ts";

import type { TradeChannel } from "#ports/trade-channel.ts";
import { sizesOf } from "./order-sizes.ts";

/** Points of an equity curve when nobody says how many. */
const CURVE_POINTS = 500;

export interface StrategyReadDependencies {
  database: Database;
  decisions: Decisions;
  channels: Named<TradeChannel>;
}

/** With its purchases compared to its venue's smallest order. */
type Sized<Item> = Item & { tooSmall: TooSmall | null };

export type StrategyReads = ReturnType<typeof createStrategyReads>;

/**
 * What can be known about strategies; committed work only. Whatever takes a strategy's id throws
 * NotFoundError STRATEGY_NOT_FOUND for one that is not there, rather than answer with nothing.
 */
export function createStrategyReads({ channels, database, decisions }: StrategyReadDependencies) {
  const sized = <Item extends StrategyListItem>(item: Item) => ({
    ...item,
    tooSmall: tooSmall({ channels, decisions }, item),
  });
  const existing = async <T>(strategyId: string, read: () => Promise<T>): Promise<T> => {
    await getStrategy(database, strategyId);
    return read();
  };
  return {
    list: async (filter: StrategyFilter = {}): Promise<Page<Sized<StrategyListItem>>> => {
      const page = await listStrategies(database, filter);
      return { ...page, items: page.items.map(sized) };
    },

    count: (filter: Pick<StrategyFilter, "userId" | "definitionId" | "search"> = {}) =>
      countStrategies(database, filter),

    get: async (strategyId: string): Promise<Sized<StrategyRecord>> =>
      sized(await getStrategy(database, strategyId)),

    /** Newest first, with their orders and trades. */
    cycles: (strategyId: string, page: PageRequest = {}): Promise<Page<CycleRecord>> =>
      existing(strategyId, () => listCycles(database, strategyId, page)),

    /** @throws NotFoundError CYCLE_NOT_FOUND */
    cycle: (strategyId: string, composeId: string): Promise<CycleDetail> =>
      existing(strategyId, () => getCycle(database, strategyId, composeId)),

    /** Newest first; what was never filled is not among them. */
    trades: (strategyId: string, page: PageRequest = {}): Promise<Page<StoredLeg>> =>
      existing(strategyId, () => listTrades(database, strategyId, page)),

    /** The newest portfolio with what it holds; null before the first cycle. */
    holding: (strategyId: string): Promise<StoredView | null> =>
      existing(strategyId, () => getView(database, strategyId)),

    portfolioSummary: (strategyId: string): Promise<PortfolioSummary> =>
      portfolioSummary(database, strategyId),

    performance: (strategyId: string): Promise<StrategyPerformance> =>
      strategyPerformance(database, strategyId),

    /** At most `points` of them, the newest always; oldest first. */
    equityCurve: (strategyId: string, points = CURVE_POINTS): Promise<EquityCurvePoint[]> =>
      existing(strategyId, () => equityCurve(database, strategyId, { buckets: points })),
  };
}

/** Null also where its agent, its channel or its params are none that this build knows. */
function tooSmall(
  means: Omit<StrategyReadDependencies, "database">,
  strategy: StrategyListItem,
): TooSmall | null {
  const { params, totalValue: balance } = strategy;
  try {
    return sizesOf(means, strategy, { balance, params })?.tooSmall ?? null;
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
}
