// Pulls one queue's messages into handlers and keeps their claims alive. It stands in for pg-boss's
// own worker, which after each job waits for a notification or 30 s, and so stalls on a backlog.
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { JobWithMetadata, PgBoss } from "pg-boss";
import { DomainError, InvariantError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DatabaseWatch } from "#ports/database-watch.ts";
import type { Claim, ClaimTicket, QueueName } from "#ports/work-queue.ts";
import { WakeSignal } from "./wake-signal.ts";
import { affectedBy, describe, type QueueLogger, type QueueTuning } from "./boss.ts";
import { withDeadline } from "./deadline.ts";
import { Delivery } from "./delivery.ts";
import { reapSilentClaims, releaseClaim } from "./release.ts";

export interface WorkerOptions {
  boss: PgBoss;
  queue: QueueName;
  /** Of the queue's tables. */
  schema: string;
  slots: number;
  handler: (claim: Claim) => Promise<void>;
  tuning: QueueTuning;
  logger: QueueLogger;
  watch: DatabaseWatch;
}

const longestFetchPauseMs = 5_000;
/** Handlers that may wait beside each slot, so that many silent ones still meet a limit. */
const waitingPerSlot = 8;

export class Worker {
  readonly #options: WorkerOptions;
  readonly #running = new Map<Delivery, Promise<void>>();
  readonly #wakeSignal = new WakeSignal();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #pulling: Promise<void>;
  #touching = false;
  #reaping = false;
  #stopping = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#heartbeat = setInterval(() => void this.#beat(), options.tuning.touchMs);
    this.#pulling = this.#pull();
  }

  wake(): void {
    this.#wakeSignal.set();
  }

  /** Afterwards no claim is held: what was not settled waits in the queue for any node. */
  async stop(drainMs: number): Promise<void> {
    const { abortGraceMs, callTimeoutMs } = this.#options.tuning;
    this.#stopping = true;
    this.#wakeSignal.set();
    await this.#drain(drainMs);
    for (const delivery of this.#running.keys()) {
      delivery.abort(new DomainError("SHUTTING_DOWN", "the work queue is closing"));
    }
    await this.#drain(abortGraceMs);
    clearInterval(this.#heartbeat);
    await Promise.all([...this.#running.keys()].map((delivery) => this.#release(delivery)));
    // A fetch under way may still bring claims, which it releases itself.
    await Promise.race([this.#pulling, sleep(callTimeoutMs, undefined, { ref: false })]);
  }

  async #pull(): Promise<void> {
    let failures = 0;
    while (!this.#stopping) {
      const free = this.#freeSlots();
      if (free <= 0) {
        await this.#wakeSignal.wait();
        continue;
      }
      const fetched = await this.#fetch(free);
      failures = fetched === null ? failures + 1 : 0;
      // A full batch means that more may be waiting; else the next ring or poll will tell.
      if (fetched !== free) await this.#wakeSignal.wait(this.#pauseMs(failures));
    }
  }

  #freeSlots(): number {
    const { slots } = this.#options;
    const waiting = [...this.#running.keys()].filter((claim) => claim.yielded).length;
    return slots - this.#running.size + Math.min(waiting, slots * waitingPerSlot);
  }

  #pauseMs(failures: number): number {
    return Math.min(this.#options.tuning.pollMs * 2 ** failures, longestFetchPauseMs);
  }

  /** How many messages were started, or null when the database did not answer. */
  async #fetch(batchSize: number): Promise<number | null> {
    const { boss, queue, tuning } = this.#options;
    try {
      const options = { batchSize, includeMetadata: true } as const;
      const jobs = await boss.fetch<JsonObject>(queue, options);
      const onYield = () => this.#wakeSignal.set();
      const source = { boss, callTimeoutMs: tuning.callTimeoutMs, onYield };
      const deliveries = jobs.map((job) => new Delivery(source, ticketOf(queue, job)));
      if (this.#stopping) await Promise.all(deliveries.map((claim) => this.#release(claim)));
      else for (const delivery of deliveries) this.#running.set(delivery, this.#deliver(delivery));
      return jobs.length;
    } catch (error) {
      this.#warn(error, "could not fetch messages; trying again");
      return null;
    }
  }

  async #deliver(delivery: Delivery): Promise<void> {
    try {
      await this.#options.handler(delivery);
      if (!delivery.settled) throw new InvariantError("the handler returned without settling");
    } catch (error) {
      await this.#putBack(delivery, error);
    }
    // PGlite answers in microtasks: handlers in a row would starve timers and sockets.
    await setImmediate();
    this.#running.delete(delivery);
    // Not only a slot is free now: the next message of the same key may be taken too.
    this.#wakeSignal.set();
  }

  async #putBack(delivery: Delivery, error: unknown): Promise<void> {
    const { boss, queue, logger, watch } = this.#options;
    const { id, key, attempt } = delivery;
    if (delivery.lost) {
      logger.warn(
        { error: describe(error), queue, id, key, attempt },
        "gave up a message another node owns",
      );
      return;
    }
    if (this.#stopping) return this.#release(delivery);
    if (!watch.blames(error)) {
      logger.warn(
        { error: describe(error), queue, id, key, attempt },
        "a message failed; it will be delivered again",
      );
    }
    try {
      await boss.fail(queue, delivery.fence, { message: describe(error) });
    } catch (failure) {
      // Nothing is lost: without heartbeats the message comes back by itself, only later.
      this.#warn(failure, "could not put a message back", { id, key });
    }
  }

  /** Gives a claim up for any node to take at once. Fenced: no effect on a later delivery. */
  async #release(delivery: Delivery): Promise<void> {
    const { boss, queue } = this.#options;
    const { id, key, fence } = delivery;
    delivery.lose();
    try {
      await releaseClaim(boss, { queue, fence }, "released by a closing node");
    } catch (error) {
      this.#warn(error, "could not release a message at shutdown", { id, key });
    }
  }

  /** First its own signs of life: a node that was frozen must not take itself for dead. */
  async #beat(): Promise<void> {
    if (this.#touching) return;
    await this.#touch();
    if (!this.#reaping) await this.#reap();
  }

  /** Shows signs of life for all claims at once, and finds those that were taken away. */
  async #touch(): Promise<void> {
    this.#touching = true;
    const { boss, queue, tuning } = this.#options;
    const held = () => [...this.#running.keys()].filter((claim) => !claim.settled && !claim.lost);
    try {
      const claims = held();
      if (claims.length === 0) return;
      const fences = claims.map((claim) => claim.fence);
      const touching = boss.touch(queue, fences);
      const touched = await withDeadline(touching, tuning.callTimeoutMs, "keep claims alive");
      if (affectedBy(touched) === claims.length) return;
      for (const claim of held()) {
        if (affectedBy(await boss.touch(queue, claim.fence)) === 0) this.#miss(claim);
      }
    } catch (error) {
      this.#warn(error, "could not keep claims alive; trying again");
    } finally {
      this.#touching = false;
    }
  }

  /** Takes over what nodes that died, froze or were cut off had claimed. */
  async #reap(): Promise<void> {
    this.#reaping = true;
    const { boss, queue, schema, tuning, logger } = this.#options;
    const { callTimeoutMs, heartbeatSeconds } = tuning;
    try {
      const releasing = reapSilentClaims(boss, { queue, schema, heartbeatSeconds });
      const released = await withDeadline(releasing, callTimeoutMs, "look for silent nodes");
      if (released.length === 0) return;
      logger.warn(
        { queue, ids: released.map(({ id }) => id) },
        "released messages of a node that gave no sign of life",
      );
      this.#wakeSignal.set();
    } catch (error) {
      this.#warn(error, "could not look for messages of dead nodes; trying again");
    } finally {
      this.#reaping = false;
    }
  }

  /** A call into the queue failed; an outage of the database is told of elsewhere, once. */
  #warn(error: unknown, message: string, detail: object = {}): void {
    const { logger, queue, watch } = this.#options;
    if (watch.blamesDriver(error)) return;
    logger.warn({ error: describe(error), queue, ...detail }, message);
  }

  #miss(claim: Delivery): void {
    // Settled, or ended by its own handler, while the database was asked about it.
    if (claim.settled || !this.#running.has(claim)) return;
    claim.lose();
  }

  async #drain(timeoutMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    const ended = Promise.all(this.#running.values());
    const timeout = new AbortController();
    const waited = sleep(timeoutMs, undefined, { signal: timeout.signal }).catch(() => {});
    await Promise.race([ended, waited]);
    timeout.abort();
  }
}

function ticketOf(queue: QueueName, job: JobWithMetadata<JsonObject>): ClaimTicket {
  // The queue's policy refuses messages without a key.
  const key = job.singletonKey ?? "";
  return { id: job.id, queue, key, body: job.data, attempt: job.retryCount };
}
