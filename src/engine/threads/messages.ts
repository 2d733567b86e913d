import { DomainError, FencedError, errorMessage, type ErrorCode } from "#domain/errors.ts";
import type { ShardHead } from "#ports/store.ts";
import type { ClaimTicket, Message } from "#ports/work-queue.ts";
import type { ShardFailure, StrategyFailure } from "#engine/group/supervisor.ts";
import type {
  OnShardCommit,
  PhaseUnderWay,
  Restored,
  ShardOutcome,
} from "#engine/shard/shard-runner.ts";

// What the engine and its shard threads say to each other: plain data, copied on the way. Calls are
// numbered by the engine and answered once, by `done` or `failed`.

export type ToThread =
  | { type: "restore"; call: number; heads: readonly ShardHead[] }
  /** `now`: the engine's clock, ms UTC. */
  | { type: "work"; call: number; ticket: ClaimTicket; now: number }
  | { type: "abort"; call: number; error: PlainError }
  | { type: "cancel"; call: number; heads: readonly ShardHead[]; reason: string }
  /** Answers `send`. */
  | { type: "sent"; ask: number; error: PlainError | null }
  | { type: "evict"; shardId: string }
  | { type: "close" };

export type FromThread =
  | { type: "done"; call: number; answer: Answer }
  | { type: "failed"; call: number; error: PlainError }
  | { type: "yielded"; call: number }
  | { type: "committed"; commit: Parameters<OnShardCommit>[0] }
  | { type: "strategyFailed"; failure: StrategyFailure }
  | { type: "shardFailed"; failure: ShardFailure }
  | { type: "phases"; phases: readonly PhaseUnderWay[] }
  /** Messages for shards, to be stored by the engine's own queue. */
  | { type: "send"; ask: number; messages: readonly Message[] }
  | { type: "logged"; level: "debug" | "info" | "warn" | "error"; detail: object; message: string };

export type Answer = ShardOutcome | Restored | null;

/** One side of the line between the engine and a thread. */
export interface Line<Out, In> {
  send(message: Out): void;
  onMessage(listener: (message: In) => void): void;
}

/** A running thread, as its engine holds it. */
export interface ThreadLine extends Line<ToThread, FromThread> {
  /** Called once, when the thread has ended, for whatever reason. */
  onEnd(listener: (reason: string) => void): void;
  /** Ends it at once. */
  terminate(): Promise<void>;
}

export interface PlainError {
  code: ErrorCode | null;
  message: string;
  /** Of a domain error. */
  details?: DomainError["details"];
}

export function toPlain(error: unknown): PlainError {
  const message = errorMessage(error);
  if (!(error instanceof DomainError)) return { code: null, message };
  return { code: error.code, message, details: error.details };
}

export function fromPlain({ code, details = {}, message }: PlainError): Error {
  if (code === null) return new Error(message);
  const options = { details };
  return code === "FENCED"
    ? new FencedError(message, options)
    : new DomainError(code, message, options);
}
