import { decimal, type DecimalString } from "#domain/decimal.ts";
import type { LiveStrategy } from "#engine/live/live-store.ts";
import type { EngineMonitor, MarketPosition, Progress, Totals } from "#services/engine-monitor.ts";
import { returnOf } from "./format.ts";

/** Names for ids; what is not known yet is shown by its id until it is. */
export interface Names {
  strategy(id: string): string | undefined;
  definition(id: string): string | undefined;
}

export interface OverviewRow {
  strategyId: string;
  name: string;
  definition: string;
  state: LiveStrategy["state"];
  equity: DecimalString;
  /** Fraction. */
  return: number | null;
  signal: LiveStrategy["lastSignal"];
  failed: boolean;
  cycleIndex: number;
  /** ms UTC. */
  lastCycleAt: number | null;
}

/** The engine at one moment, ready to be shown. */
export interface Overview {
  market: MarketPosition;
  progress: Progress;
  totals: Totals;
  rows: OverviewRow[];
  /** Strategies that found no room. */
  hidden: number;
  /** What should be known besides, a line each. */
  notices: string[];
}

/** With room for all, in a lasting order; else those with the best return. */
export function overviewOf(monitor: EngineMonitor, names: Names, room: number): Overview {
  const all = monitor.live.all();
  const chosen = all.length <= room ? all : best(all, room);
  const rows = chosen.map((strategy) => rowOf(strategy, names));
  if (all.length <= room) rows.sort(byDefinitionAndName);
  return {
    market: monitor.market(),
    progress: monitor.progress(),
    totals: monitor.totals(),
    rows,
    hidden: all.length - rows.length,
    notices: [],
  };
}

function best(all: readonly LiveStrategy[], room: number): LiveStrategy[] {
  const ranked = all.map((strategy) => ({ strategy, score: score(strategy) }));
  return ranked
    .sort((a, b) => b.score - a.score)
    .slice(0, Math.max(room, 0))
    .map(({ strategy }) => strategy);
}

/** Good enough to rank by; what is shown is computed from the decimals. */
function score({ totalValue, realizedPnl, unrealizedPnl }: LiveStrategy): number {
  const pnl = Number(realizedPnl) + Number(unrealizedPnl);
  return pnl / (Number(totalValue) - pnl);
}

function rowOf(strategy: LiveStrategy, names: Names): OverviewRow {
  const { strategyId, definitionId, realizedPnl, unrealizedPnl, totalValue } = strategy;
  return {
    strategyId,
    name: names.strategy(strategyId) ?? strategyId.slice(0, 8),
    definition: names.definition(definitionId) ?? definitionId.slice(0, 8),
    state: strategy.inProgress ?? strategy.state,
    equity: totalValue,
    return: returnOf(totalValue, decimal(realizedPnl).plus(unrealizedPnl).toFixed()),
    signal: strategy.lastSignal,
    failed: strategy.lastStatus === "failed",
    cycleIndex: strategy.cycleIndex,
    lastCycleAt: strategy.lastCycleAt,
  };
}

function byDefinitionAndName(a: OverviewRow, b: OverviewRow): number {
  return (
    a.definition.localeCompare(b.definition) ||
    a.name.localeCompare(b.name) ||
    a.strategyId.localeCompare(b.strategyId)
  );
}
