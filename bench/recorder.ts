import type { Journal, MemberWrite } from "#ports/store.ts";

/** One shard's commit as the engine made it. */
export interface RecordedCommit {
  shardId: string;
  writes: readonly MemberWrite[];
}

export interface Recorder {
  journal: Journal;
  /** Counts cycles that other threads committed; their rows and commits are not seen here. */
  heard(count: number): void;
  /** Cycles and rows committed since the last `take`, and a sample of the commits. */
  take(): { cycles: number; rows: number; commits: RecordedCommit[] };
  /** Cycles committed since the last `take`. */
  readonly cycles: number;
  /** Timer reading when the last commit came back. */
  readonly lastCommitAt: number;
}

/** Counts what passes through the journal and keeps every n-th commit for the other scenarios. */
export function createRecorder(journal: Journal, everyNth: number): Recorder {
  let cycles = 0;
  let rows = 0;
  let seen = 0;
  let commits: RecordedCommit[] = [];
  let lastCommitAt = 0;
  return {
    journal: {
      async commit(commit) {
        const result = await journal.commit(commit);
        lastCommitAt = performance.now();
        const writes = result.stored.filter(({ cycle }) => cycle !== null);
        if (writes.length === 0) return result;
        cycles += writes.length;
        rows += rowsOf(writes);
        seen += 1;
        if (seen % everyNth === 0) commits.push({ shardId: commit.shardId, writes });
        return result;
      },
    },
    heard(count) {
      lastCommitAt = performance.now();
      cycles += count;
    },
    take() {
      const taken = { cycles, rows, commits };
      cycles = 0;
      rows = 0;
      commits = [];
      return taken;
    },
    get cycles() {
      return cycles;
    },
    get lastCommitAt() {
      return lastCommitAt;
    },
  };
}

/** Inserted and updated rows: the strategy, its snapshot, cycle and view, and what hangs on them. */
export function rowsOf(writes: readonly MemberWrite[]): number {
  return writes.reduce((sum, { cycle }) => {
    if (cycle === null) return sum + 2;
    return sum + 4 + cycle.instructions.length + cycle.legs.length + cycle.view.holdings.length;
  }, 0);
}
