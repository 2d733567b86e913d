import type { LiveStore, LiveStrategy } from "#engine/live/live-store.ts";

/** A strategy as it stands after a commit. `revision` grows by one with every change of any. */
export interface StrategyChange {
  revision: number;
  strategy: LiveStrategy;
}

export interface ChangeRequest {
  /** Null: all. */
  strategyIds: ReadonlySet<string> | null;
  /** Changes after this revision; 0 begins with the present state of everything asked for. */
  after: number;
  signal: AbortSignal;
}

export type ChangeFeed = ReturnType<typeof createChangeFeed>;

/**
 * Numbers the commits of the live store so that a reader can go on where it was. It keeps one number
 * per strategy and no history: who reads slowly gets the newest state of each strategy, once.
 */
export function createChangeFeed(live: LiveStore) {
  // Insertion order is revision order: a strategy that changes moves to the end.
  const revisions = new Map<string, number>();
  const wakers = new Set<() => void>();
  let newest = 0;

  const take = (strategyId: string): void => {
    newest += 1;
    revisions.delete(strategyId);
    revisions.set(strategyId, newest);
  };
  for (const { strategyId } of live.all()) take(strategyId);
  live.onChange((changes) => {
    for (const { strategyId } of changes) take(strategyId);
    for (const wake of wakers) wake();
  });

  return {
    /** Names this process's numbering: a revision of another one means nothing here. */
    id: crypto.randomUUID(),

    /** Batches of at most `size` changes in revision order, until the signal aborts. */
    async *changes(
      { strategyIds, after, signal }: ChangeRequest,
      size = 200,
    ): AsyncGenerator<StrategyChange[], void> {
      let last = after;
      while (!signal.aborted) {
        const batch = newer(revisions, { after: last, wanted: strategyIds, size }).flatMap(
          (change) => {
            const strategy = live.get(change.strategyId);
            return strategy === undefined ? [] : [{ revision: change.revision, strategy }];
          },
        );
        const end = batch.at(-1);
        if (end === undefined) {
          last = newest;
          await woken(wakers, signal);
        } else {
          last = end.revision;
          yield batch;
        }
      }
    },
  };
}

function newer(
  revisions: ReadonlyMap<string, number>,
  { after, wanted, size }: { after: number; wanted: ReadonlySet<string> | null; size: number },
): { strategyId: string; revision: number }[] {
  const found: { strategyId: string; revision: number }[] = [];
  for (const [strategyId, revision] of revisions) {
    if (found.length === size) break;
    if (revision <= after || wanted?.has(strategyId) === false) continue;
    found.push({ strategyId, revision });
  }
  return found;
}

function woken(wakers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      wakers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    wakers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}
