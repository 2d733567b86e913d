import type { AgentOutput } from "#domain/analysis.ts";
import type { Cycle } from "#domain/cycle.ts";
import type { DecimalString } from "#domain/decimal.ts";
import type { Definition } from "#domain/definition.ts";
import type { JsonObject } from "#domain/json.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { DesiredStatus, StopCause, StopReason, StrategyState } from "#domain/strategy.ts";
import type { Tick, TickInput, TickStatus } from "#domain/tick.ts";
import type { Claim } from "./work-queue.ts";

export type { Tick, TickInput, TickStatus };

/** A definition with what the scheduler needs to know about it. */
export interface ScheduledDefinition {
  definition: Definition;
  /** Strategies that want to run; with none there is nothing to tick for. */
  members: number;
  /** `scheduledFor` of its newest tick of any status, or null. */
  lastScheduledFor: number | null;
  /** By an admin: nothing is proposed until it is resumed. */
  isPaused: boolean;
  /** When its first member was created, ms UTC; a definition never ticks for the time before. */
  since: number | null;
}

export interface ShardHead {
  id: string;
  definitionId: string;
  /** +1 per commit of the shard (I7). */
  version: number;
  /** +1 whenever a member is added, edited, stopped or resumed. */
  rosterVersion: number;
  /** The tick last handed to it; null when that was closed without it. */
  fannedTickId: string | null;
}

/** One member of a shard as its owner wants it. */
export interface Member {
  strategyId: string;
  desiredStatus: DesiredStatus;
  /** Set while a stop is asked for and not yet carried out. */
  stopRequest: {
    commandId: string;
    closePositions: boolean;
    reason: string;
    cause: StopCause;
  } | null;
  params: JsonObject;
  paramsVersion: number;
  state: StrategyState;
}

export interface StoredActor {
  strategyId: string;
  envelope: SnapshotEnvelope;
  seq: number;
}

/** What is publicly known of a strategy, as of its newest commit. */
export interface StrategyFigures {
  strategyId: string;
  definitionId: string;
  shardId: string;
  state: StrategyState;
  stopReason: StopReason | null;
  /** +1 per commit of this strategy. */
  seq: number;
  cycleIndex: number;
  /** ms UTC; null before the first cycle. */
  lastCycleAt: number | null;
  /** Equity, quote currency. */
  totalValue: DecimalString;
  cash: DecimalString;
  realizedPnl: DecimalString;
  unrealizedPnl: DecimalString;
}

/** What a commit changes about one strategy besides its history; a stop clears its stop request. */
export interface StrategyWrite {
  strategyId: string;
  state: StrategyState;
  /** With `state` stopped or cancelled. */
  stopReason: StopReason | null;
  stopReasonDetail: string | null;
  envelope: SnapshotEnvelope;
  seq: number;
}

/** One strategy's part of a shard commit: its next state and, mostly, the cycle that led there. */
export interface MemberWrite extends StrategyWrite {
  cycle: Cycle | null;
}

export interface NewAlert {
  /** Same kind and subject and unresolved: counted up, not repeated. */
  kind: string;
  severity: "warning" | "error" | "critical";
  /** e.g. a strategy id */
  subject: string;
  strategyId: string | null;
  message: string;
  detail: JsonObject;
}

export interface ShardCommit {
  /** Null at boot and shutdown, when no message is being worked on: the version alone fences. */
  claim: Claim | null;
  /** Complete the claim, or only confirm it because more of this message's work is to come. */
  finish: boolean;
  shardId: string;
  /** The version this node read or last wrote; the commit moves it to the next. */
  version: number;
  /** When the message was a tick: marks the shard as settled for it if `finish`. */
  tickId: string | null;
  writes: readonly MemberWrite[];
  alerts: readonly NewAlert[];
  /**
   * What to store instead of a member's write that the database refused: its failure. Null when it
   * is itself such a replacement; then the member is stopped with reason `error`.
   */
  replace(refused: MemberWrite, error: unknown): MemberWrite | null;
}

export interface ShardCommitResult {
  version: number;
  rosterVersion: number;
  /** What was stored, per member: the given write, or its replacement (I6). */
  stored: readonly MemberWrite[];
}

/** The only code that commits what strategies did. */
export interface Journal {
  /**
   * One transaction: settle or hold the claim, move the shard's version, write everything.
   * @throws FencedError when the claim or the version is no longer this node's, or the tick was closed
   * without this shard; nothing is written.
   */
  commit(commit: ShardCommit): Promise<ShardCommitResult>;
}

export interface AnalysisCommit {
  claim: Claim;
  tick: Tick;
  definition: Definition;
  market: MarketSnapshot;
  outputs: readonly AgentOutput[];
  analysisMs: number;
  /** Real time from now (the database's clock) after which missing shards count as timed out. */
  deadlineMs: number;
}

/** What the engine reads and writes besides the journal. */
export interface EngineStore {
  scheduledDefinitions(): Promise<ScheduledDefinition[]>;
  /** @throws NotFoundError DEFINITION_NOT_FOUND */
  definition(definitionId: string): Promise<Definition>;
  /**
   * Stores the tick with its job in one transaction, or as `skipped` when the definition has an open
   * one; where time `waits` for ticks nothing is stored instead. `known`: another node was first, or
   * the definition is paused.
   */
  proposeTick(
    definitionId: string,
    scheduledFor: number,
    time?: { waits: boolean },
  ): Promise<"proposed" | "skipped" | "known">;
  /** Null when the tick is no longer `pending` (already analysed, or gone). */
  pendingTick(tickId: string): Promise<{ tick: Tick; definition: Definition } | null>;
  /** Of any status. */
  knowsTick(tickId: string): Promise<boolean>;
  /**
   * One transaction: settle the tick's job, store market, agent runs, and one shard job for each
   * shard with members that want to run. Returns those shards' ids. With none the tick is closed.
   * @throws FencedError
   */
  commitAnalysis(commit: AnalysisCommit): Promise<string[]>;
  /** Settles the tick's job and marks it failed: nothing to analyse (no price at all, unknown agent). */
  failTick(claim: Claim, tickId: string, error: { code: string; message: string }): Promise<void>;
  tickInput(tickId: string): Promise<TickInput | null>;
  /**
   * Closes a running tick: `completed` when every shard settled; `timed_out` when the database's clock
   * is past its deadline: from then on the missing shards cannot write for it. Otherwise leaves it
   * open. Idempotent, any node may call it. Returns the status after the call, null for an unknown
   * tick.
   */
  closeTick(tickId: string): Promise<TickStatus | null>;
  /**
   * Marks a tick failed that has been pending for longer than `limitMs`: whatever its analysis keeps
   * failing of, the next tick gets its turn. False when there was nothing to do.
   */
  giveUpAnalysis(tickId: string, limitMs: number): Promise<boolean>;
  /** Gives open ticks their whole time again, from now on. */
  renewDeadlines(deadlineMs: number): Promise<void>;
  /** No open tick has more than its whole time left, even if the database's clock was set back. */
  shortenDeadlines(deadlineMs: number): Promise<void>;
  /** Ticks in `pending` or `running`, oldest first. */
  openTicks(): Promise<Tick[]>;

  shardHead(shardId: string): Promise<ShardHead | null>;
  shardHeads(): Promise<ShardHead[]>;
  members(shardId: string): Promise<Member[]>;
  actors(strategyIds: readonly string[]): Promise<StoredActor[]>;
  /** Of all members of these shards. */
  figures(shardIds: readonly string[]): Promise<StrategyFigures[]>;
  /**
   * A strategy whose stored snapshot cannot be restored: stopped with reason `error` and an alert, its
   * snapshot left as it is for whoever repairs it.
   */
  isolate(strategyId: string, detail: string): Promise<void>;
  /**
   * Asks for a stop with reason `error`, stored like a stop of the owner's and carried out in the
   * order of the shard's messages. A strategy that is to stop anyhow, or is gone, is left alone.
   */
  stopFailing(strategyId: string, detail: string): Promise<void>;
  /** What the database does not do for itself (PGlite has no autovacuum); cheap, once a minute. */
  maintain(): Promise<void>;
  /** Completes a message that has nothing left to do, in a transaction of its own. */
  dismiss(claim: Claim): Promise<void>;
  raiseAlert(alert: NewAlert): Promise<void>;
  /** A new command message for every strategy that is not as its owner wants it; returns their ids. */
  resendControls(): Promise<string[]>;
}
