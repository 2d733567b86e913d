import { createStore } from "@xstate/store";
import type { CycleStatus } from "#domain/cycle.ts";
import type { DecisionSignal } from "#domain/decision.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { PhaseUnderWay } from "#engine/shard/shard-runner.ts";
import type { StrategyFigures } from "#ports/store.ts";
import { changed, type CommittedChange } from "./live-view.ts";

/** What is publicly known of a strategy: always something that has been committed (I5). */
export interface LiveStrategy extends StrategyFigures {
  /** How its newest cycle ended; null when that is not known to this process. */
  lastStatus: CycleStatus | null;
  lastSignal: DecisionSignal | null;
  /** What it is at beyond its committed state, where that lasts; not committed, so without figures. */
  inProgress: PhaseUnderWay["phase"];
}

export interface LiveContext {
  /** By strategy id. One map for the life of the store: a change costs the same whatever its size. */
  strategies: ReadonlyMap<string, LiveStrategy>;
  byState: Readonly<Record<StrategyState, number>>;
  /** +1 with every change of any strategy. */
  revision: number;
}

type Listener = (changes: readonly LiveStrategy[]) => void;

/**
 * What API, table and inspection show of the strategies, set after commit. Selections are told when what
 * they select changes, listeners which strategies changed, once per committed shard.
 */
export class LiveStore {
  readonly #strategies = new Map<string, LiveStrategy>();
  readonly #store = storeOver(this.#strategies);

  get(strategyId: string): LiveStrategy | undefined {
    return this.#strategies.get(strategyId);
  }

  all(): LiveStrategy[] {
    return [...this.#strategies.values()];
  }

  /** A part of what is shown, to be read or subscribed to. */
  select<Selected>(selector: (context: LiveContext) => Selected) {
    return this.#store.select(selector);
  }

  /** Takes committed changes; what is not newer than what is shown is dropped. */
  committed(changes: readonly LiveStrategy[]): void {
    this.#take(changes.filter((change) => isNews(change, this.get(change.strategyId))));
  }

  /** Takes what a commit of this node changed; strategies not shown yet are left to the next look. */
  changed(changes: readonly CommittedChange[]): void {
    this.committed(
      changes.flatMap((change) => {
        const before = this.get(change.strategyId);
        return before === undefined ? [] : [changed(before, change)];
      }),
    );
  }

  /** Takes what strategies are at. */
  phases(phases: readonly PhaseUnderWay[]): void {
    this.#take(
      phases.flatMap(({ phase, strategyId }) => {
        const before = this.get(strategyId);
        if (before === undefined || before.inProgress === phase) return [];
        return [{ ...before, inProgress: phase }];
      }),
    );
  }

  /** Calls `listener` with the strategies each change is about, until the returned function is called. */
  onChange(listener: Listener): () => void {
    const subscription = this.#store.on("changed", ({ news }) => listener(news));
    return () => subscription.unsubscribe();
  }

  #take(news: readonly LiveStrategy[]): void {
    if (news.length > 0) this.#store.trigger.took({ news });
  }
}

/** A look at the database may have been faster than the word of who committed, which says more. */
function isNews(change: LiveStrategy, shown: LiveStrategy | undefined): boolean {
  if (shown === undefined || change.seq > shown.seq) return true;
  return change.seq === shown.seq && knowsMore(change, shown);
}

function knowsMore(change: LiveStrategy, shown: LiveStrategy): boolean {
  return change.lastStatus !== shown.lastStatus || change.lastSignal !== shown.lastSignal;
}

interface News {
  news: readonly LiveStrategy[];
}

/** `strategies` is changed in place: copying thousands of entries per commit would cost more than the commit. */
function storeOver(strategies: Map<string, LiveStrategy>) {
  return createStore<LiveContext, { took: News }, { changed: News }>({
    context: {
      strategies,
      byState: { running: 0, composing: 0, executing: 0, stopped: 0, cancelled: 0 },
      revision: 0,
    },
    on: {
      took: (context, { news }, enqueue) => {
        const byState = { ...context.byState };
        for (const strategy of news) {
          const before = strategies.get(strategy.strategyId);
          if (before !== undefined) byState[before.state] -= 1;
          byState[strategy.state] += 1;
          strategies.set(strategy.strategyId, strategy);
        }
        enqueue.emit.changed({ news });
        return { ...context, byState, revision: context.revision + 1 };
      },
    },
  });
}
