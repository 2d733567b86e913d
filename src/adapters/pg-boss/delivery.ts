import type { PgBoss } from "pg-boss";
import { FencedError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { ClaimTicket, EntrustedClaim, QueueName, Transaction } from "#ports/work-queue.ts";
import { affectedBy, toDatabase } from "./boss.ts";
import { withDeadline } from "./deadline.ts";

export interface DeliverySource {
  boss: PgBoss;
  callTimeoutMs: number;
  /** Told when a slot has become free although its handler still runs. */
  onYield(): void;
}

/** A claim of this node, as its handler sees it and as the worker keeps it alive. */
export class Delivery implements EntrustedClaim {
  readonly id: string;
  readonly queue: QueueName;
  readonly key: string;
  readonly body: JsonObject;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly #source: DeliverySource;
  readonly #abort = new AbortController();
  #settled = false;
  #lost = false;
  #yielded = false;

  constructor(source: DeliverySource, ticket: ClaimTicket) {
    this.#source = source;
    this.id = ticket.id;
    this.queue = ticket.queue;
    this.key = ticket.key;
    this.body = ticket.body;
    this.attempt = ticket.attempt;
    this.signal = this.#abort.signal;
  }

  /** What pg-boss matches a call against: this delivery of the message, and no later one. */
  get fence(): { id: string; retryCount: number } {
    return { id: this.id, retryCount: this.attempt };
  }

  /** `settle` succeeded; whether its transaction committed only the caller knows. */
  get settled(): boolean {
    return this.#settled;
  }

  get lost(): boolean {
    return this.#lost;
  }

  get yielded(): boolean {
    return this.#yielded;
  }

  yieldSlot(): void {
    if (this.#yielded) return;
    this.#yielded = true;
    this.#source.onYield();
  }

  async settle(transaction: Transaction): Promise<void> {
    const { boss } = this.#source;
    const options = { db: toDatabase(transaction) };
    await this.#confirm("settle", () => boss.complete(this.queue, this.fence, undefined, options));
    this.#settled = true;
  }

  settledElsewhere(): void {
    this.#settled = true;
  }

  async hold(transaction: Transaction): Promise<void> {
    const { boss } = this.#source;
    const options = { db: toDatabase(transaction) };
    await this.#confirm("hold", () => boss.touch(this.queue, this.fence, options));
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  /** From now on this node refuses to act on the claim, without asking the database (I7). */
  lose(): void {
    this.#lost = true;
    this.abort(this.#fenced());
  }

  async #confirm(what: string, call: () => Promise<object>): Promise<void> {
    if (this.#lost) throw this.#fenced();
    const response = await withDeadline(call(), this.#source.callTimeoutMs, `${what} a claim`);
    if (affectedBy(response) === 1) return;
    this.lose();
    throw this.#fenced();
  }

  #fenced(): FencedError {
    return new FencedError(
      `attempt ${this.attempt} of message ${this.id} (${this.queue}/${this.key}) is no longer this node's`,
      { details: { id: this.id, queue: this.queue, key: this.key, attempt: this.attempt } },
    );
  }
}
