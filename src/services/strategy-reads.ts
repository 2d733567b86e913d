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

/** Points of an equity curve when nobody says how many. */
const CURVE_POINTS = 500;

export type StrategyReads = ReturnType<typeof createStrategyReads>;

/**
 * What can be known about strategies; committed work only. Whatever takes a strategy's id throws
 * NotFoundError STRATEGY_NOT_FOUND for one that is not there, rather than answer with nothing.
 */
export function createStrategyReads(database: Database) {
  const existing = async <T>(strategyId: string, read: () => Promise<T>): Promise<T> => {
    await getStrategy(database, strategyId);
    return read();
  };
  return {
    list: (filter: StrategyFilter = {}): Promise<Page<StrategyListItem>> =>
      listStrategies(database, filter),

    count: (filter: Pick<StrategyFilter, "userId" | "definitionId" | "search"> = {}) =>
      countStrategies(database, filter),

    get: (strategyId: string): Promise<StrategyRecord> => getStrategy(database, strategyId),

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
