import { decimal, toDecimalString, ZERO, type DecimalString } from "#domain/decimal.ts";
import type { Definition } from "#domain/definition.ts";
import type { StrategyState } from "#domain/strategy.ts";
import { isFinerThanData, newsEveryMs, waitText } from "#domain/timeframe.ts";
import type { RecoveryReport } from "#engine/engine.ts";
import type { GroupView } from "#engine/group/group-host.ts";
import type { LiveStore, LiveStrategy } from "#engine/live/live-store.ts";
import type { Clock } from "#ports/clock.ts";
import type { MarketFeed } from "#ports/market-feed.ts";

/** Cycles per second are averaged over this much real time. */
const RATE_WINDOW_MS = 10_000;

export interface MonitorDependencies {
  live: LiveStore;
  clock: Clock & { readonly finished: boolean };
  feed: Pick<MarketFeed, "name" | "range" | "stepMs" | "symbols">;
  /** The supervisors of this node. */
  groups: () => GroupView[];
  /** Real milliseconds on a monotonic scale. */
  elapsed: () => number;
}

/** Commands are taken while it is `running` only. */
export type EnginePhase = "starting" | "running" | "stopping";

/** Where the market's time stands; all instants ms UTC. */
export interface MarketPosition {
  feed: string;
  simulated: boolean;
  now: number;
  from: number | null;
  to: number | null;
  /** Every recorded candle has been played. */
  finished: boolean;
}

/** How a template's period fits the bars there are. */
export interface DataFit {
  /** From one new bar of its symbols to the next; null: prices come at any time. */
  barMinutes: number | null;
  /** Its period is shorter: it waits for each bar and decides once. */
  waitsForBars: boolean;
}

/** What this node has done; committed work only. */
export interface Progress {
  /** Ticks whose cycles were committed, here or elsewhere, since this node started. */
  ticks: number;
  /** Cycles of all strategies, ever. */
  cycles: number;
  /** Over the last ten seconds. */
  cyclesPerSecond: number;
  strategies: number;
  byState: Readonly<Record<StrategyState, number>>;
}

/** Quote currency, over all strategies of this node. */
export interface Totals {
  equity: DecimalString;
  pnl: DecimalString;
}

export type EngineMonitor = ReturnType<typeof createEngineMonitor>;

/** Watches the live store from before the engine starts, so that it misses nothing. */
export function createEngineMonitor({ live, clock, feed, groups, elapsed }: MonitorDependencies) {
  const cycleIndexes = new Map<string, number>();
  const newestTicks = new Map<string, number>();
  const recent: { at: number; cycles: number }[] = [];
  const byState = live.select((shown) => shown.byState);
  let cycles = 0;
  let ticks = 0;
  let recovery: RecoveryReport | null = null;
  let phase: EnginePhase = "starting";

  const countCycles = (change: LiveStrategy): number => {
    const before = cycleIndexes.get(change.strategyId);
    cycleIndexes.set(change.strategyId, change.cycleIndex);
    const made = change.cycleIndex - (before ?? 0);
    cycles += made;
    return made;
  };
  const countTick = ({ definitionId, lastCycleAt }: LiveStrategy): void => {
    if (lastCycleAt === null || lastCycleAt <= (newestTicks.get(definitionId) ?? 0)) return;
    newestTicks.set(definitionId, lastCycleAt);
    if (phase !== "starting") ticks += 1;
  };
  live.onChange((changes) => {
    let done = 0;
    for (const change of changes) {
      const made = countCycles(change);
      done += made;
      if (made > 0) countTick(change);
    }
    // What a start restores was done before.
    if (done > 0 && phase !== "starting") recent.push({ at: elapsed(), cycles: done });
    forget(recent, elapsed() - RATE_WINDOW_MS);
  });

  return {
    live,

    started(report: RecoveryReport): void {
      recovery = report;
      phase = "running";
    },

    stopping(): void {
      phase = "stopping";
    },

    get phase(): EnginePhase {
      return phase;
    },

    /** What the start found and restored; null until the engine runs. */
    get recovery(): RecoveryReport | null {
      return recovery;
    },

    groups,

    market(): MarketPosition {
      return {
        feed: feed.name,
        simulated: clock.simulated,
        now: clock.now(),
        from: feed.range?.from ?? null,
        to: feed.range?.to ?? null,
        finished: clock.finished,
      };
    },

    dataFit(definition: Pick<Definition, "periodMinutes" | "symbols">): DataFit {
      const barMs = newsEveryMs(definition.symbols, feed);
      return {
        barMinutes: barMs === null ? null : barMs / 60_000,
        waitsForBars: isFinerThanData(definition, feed),
      };
    },

    /** What the start screen says of templates in use that wait for their bars. */
    notices(definitions: readonly Pick<Definition, "id" | "name" | "periodMinutes" | "symbols">[]) {
      const waiting = definitions.filter((definition) => isFinerThanData(definition, feed));
      if (waiting.length === 0) return [];
      const used = new Set(live.all().map(({ definitionId }) => definitionId));
      return waiting.filter(({ id }) => used.has(id)).map((one) => waitText(one, feed));
    },

    progress(): Progress {
      forget(recent, elapsed() - RATE_WINDOW_MS);
      return {
        ticks,
        cycles,
        cyclesPerSecond: rateOf(recent, elapsed()),
        strategies: cycleIndexes.size,
        byState: byState.get(),
      };
    },

    totals(): Totals {
      let equity = ZERO;
      let pnl = ZERO;
      for (const { totalValue, realizedPnl, unrealizedPnl } of live.all()) {
        equity = equity.plus(totalValue);
        pnl = pnl.plus(decimal(realizedPnl).plus(unrealizedPnl));
      }
      return { equity: toDecimalString(equity), pnl: toDecimalString(pnl) };
    },
  };
}

function forget(recent: { at: number }[], before: number): void {
  const kept = recent.findIndex(({ at }) => at >= before);
  recent.splice(0, kept === -1 ? recent.length : kept);
}

function rateOf(recent: readonly { at: number; cycles: number }[], now: number): number {
  const since = recent[0]?.at;
  if (since === undefined) return 0;
  const done = recent.reduce((sum, { cycles }) => sum + cycles, 0);
  // At least a second: the first commit after a pause is no rate.
  return (done * 1000) / Math.max(now - since, 1000);
}
