import { createAtom } from "@xstate/store";
import type { DecisionSignal } from "#domain/decision.ts";
import type { StrategyFigures } from "#ports/store.ts";
import { changed, type CommittedChange } from "./live-view.ts";

/** What is publicly known of a strategy: always something that has been committed (I5). */
export interface LiveStrategy extends StrategyFigures {
  /** How its newest cycle ended; null when that is not known to this process. */
  lastStatus: "completed" | "failed" | null;
  lastSignal: DecisionSignal | null;
}

type Listener = (changes: readonly LiveStrategy[]) => void;

/**
 * One atom per strategy, set after commit: a change costs the same with ten strategies or ten
 * thousand. Listeners get one call per committed shard.
 */
export class LiveStore {
  readonly #atoms = new Map<string, ReturnType<typeof createAtom<LiveStrategy>>>();
  readonly #listeners = new Set<Listener>();

  get(strategyId: string): LiveStrategy | undefined {
    return this.#atoms.get(strategyId)?.get();
  }

  all(): LiveStrategy[] {
    return Array.from(this.#atoms.values(), (atom) => atom.get());
  }

  /** Takes committed changes; what is not newer than what is shown is dropped. */
  committed(changes: readonly LiveStrategy[]): void {
    const news = changes.filter((change) => this.#take(change));
    if (news.length === 0) return;
    for (const listener of this.#listeners) listener(news);
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

  /** Calls `listener` with the strategies each commit changed, until the returned function is called. */
  onCommit(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(change: LiveStrategy): boolean {
    const atom = this.#atoms.get(change.strategyId);
    if (atom === undefined) {
      this.#atoms.set(change.strategyId, createAtom(change));
      return true;
    }
    const shown = atom.get();
    if (shown.seq > change.seq || (shown.seq === change.seq && !knowsMore(change, shown)))
      return false;
    atom.set(change);
    return true;
  }
}

/** A look at the database may have been faster than the word of who committed, which says more. */
function knowsMore(change: LiveStrategy, shown: LiveStrategy): boolean {
  return change.lastStatus !== shown.lastStatus || change.lastSignal !== shown.lastSignal;
}
