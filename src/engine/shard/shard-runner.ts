import type { CommittedChange } from "#engine/live/live-view.ts";
import type { ShardHead } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import type { Supervisor } from "#engine/group/supervisor.ts";

/** What became of one message to a shard. */
export type ShardOutcome =
  | { kind: "ticked"; definitionId: string; tickId: string }
  | { kind: "reconciled" }
  | { kind: "nothing" };

export interface Restored {
  /** Members whose actors are resident now. */
  restored: number;
  /** Of those, how many a shutdown had left cancelled and that run again. */
  resumed: number;
}

/** Works on this node's shards: in this thread, or in threads of their own. */
export interface ShardRunner {
  /** Makes the members of these shards resident, and runs on what a shutdown interrupted. */
  restore(heads: readonly ShardHead[]): Promise<Restored>;
  /** Carries one message out; its claim is settled when this returns. */
  work(claim: Claim): Promise<ShardOutcome>;
  /** At shutdown: what runs becomes `cancelled`, positions untouched (I9). */
  cancel(heads: readonly ShardHead[], reason: string): Promise<void>;
  /** The version of a shard this node read or last wrote; −1 when it holds nothing of it. */
  versionOf(shardId: string): number;
  /** Forgets its actors; its next message restores them from their last commit, here or elsewhere. */
  evict(shardId: string): void;
  close(): Promise<void>;
}

/** Hears of every commit of a shard, once it is durable (I5). */
export type OnShardCommit = (commit: {
  shardId: string;
  version: number;
  changes: readonly CommittedChange[];
}) => void;

/** A phase that lasts, as it is seen from outside: under way, not committed, without figures (I5). */
export interface PhaseUnderWay {
  strategyId: string;
  /** Null: it is over. */
  phase: "composing" | "executing" | null;
}

export type OnPhases = (phases: readonly PhaseUnderWay[]) => void;

/** Who is told what the shards of a thread do. */
export interface ShardListener {
  committed: OnShardCommit;
  phases: OnPhases;
  supervisor: Supervisor;
}
