import type { JsonObject } from "#domain/json.ts";

/**
 * A database transaction of the store, opaque to everybody but persistence and the queue adapter:
 * handing it over makes a send or a settlement part of the caller's commit.
 */
export type Transaction = { readonly __transaction: unique symbol };

export type QueueName = "ticks" | "shards";

export interface Message {
  /** Messages of one key are delivered one at a time, in order: the durable mailbox of that key. */
  key: string;
  body: JsonObject;
}

/** What identifies one delivery of one message, as plain data. */
export interface ClaimTicket {
  readonly id: string;
  readonly queue: QueueName;
  readonly key: string;
  readonly body: JsonObject;
  /** 0 at first delivery, +1 each time it was delivered again: the fencing token with `id`. */
  readonly attempt: number;
}

/** One delivery of one message to this node. */
export interface Claim extends ClaimTicket {
  /** Aborts when this node has lost the claim or the queue is closing. */
  readonly signal: AbortSignal;
  /**
   * Completes the message inside `transaction`: done exactly when that commits.
   * @throws FencedError when another node owns the message by now; the caller must roll back.
   */
  settle(transaction: Transaction): Promise<void>;
  /**
   * Confirms inside `transaction` that the claim still holds, without completing it.
   * @throws FencedError as `settle`.
   */
  hold(transaction: Transaction): Promise<void>;
  /**
   * From now on the handler mostly waits for somebody else: another message may be delivered beside
   * it. The queue bounds how many are let in this way.
   */
  yieldSlot(): void;
  /** Another thread of this node settled it, and its transaction has committed. */
  settledElsewhere(): void;
}

/** A claim of this node in the thread that works on it. */
export interface EntrustedClaim extends Claim {
  abort(reason: Error): void;
}

/** Where a thread without a queue of its own settles what the node's queue has claimed. */
export interface ClaimDesk extends AsyncDisposable {
  /** `onYield` is told when the work would let another message in. */
  accept(ticket: ClaimTicket, onYield: () => void): EntrustedClaim;
}

export interface QueueHealth {
  queued: number;
  active: number;
  failed: number;
}

export interface Outbox {
  /** Stores messages; with `transaction`, they exist exactly when that commits. */
  send(queue: QueueName, messages: readonly Message[], transaction?: Transaction): Promise<void>;
}

/** Durable messages in the same database as everything else. */
export interface WorkQueue extends Outbox {
  start(): Promise<void>;
  /**
   * Pulls messages and runs `handler` for up to `slots` at a time. A handler that throws puts the
   * message back with growing delay, for ever; one that returns must have settled its claim.
   */
  run(queue: QueueName, slots: number, handler: (claim: Claim) => Promise<void>): void;
  /** A hint that messages may be waiting: fetch now instead of at the next poll. */
  wake(queue: QueueName): void;
  /** Stops fetching; waits up to `drainMs` for running handlers, then aborts their signals. */
  stop(drainMs: number): Promise<void>;
  health(): Promise<Record<QueueName, QueueHealth>>;
}
