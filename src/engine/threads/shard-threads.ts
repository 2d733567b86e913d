import { DomainError, InvariantError } from "#domain/errors.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { ShardHead } from "#ports/store.ts";
import type { Claim, Outbox } from "#ports/work-queue.ts";
import type { Logger } from "#ports/logger.ts";
import type {
  Restored,
  ShardListener,
  ShardOutcome,
  ShardRunner,
} from "#engine/shard/shard-runner.ts";
import type { ThreadLine } from "./messages.ts";
import { ShardThread } from "./shard-thread.ts";

export interface ShardThreadsOptions {
  count: number;
  start: () => ThreadLine;
  clock: Clock;
  timer: Timer;
  logger: Logger;
  outbox: Outbox;
  listener: ShardListener;
}

const CLOSE_MS = 2_000;

/**
 * Shards spread over threads, each with its own heap, event loop and database connections. A shard
 * stays with its thread, so its actors stay resident. A thread that dies takes nothing with it: its
 * messages go back to the queue, and whoever takes its place restores from the last commit.
 */
export class ShardThreads implements ShardRunner {
  readonly #options: ShardThreadsOptions;
  readonly #threads: (ShardThread | null)[];
  readonly #homes = new Map<string, number>();
  readonly #versions = new Map<string, number>();
  #closing = false;

  constructor(options: ShardThreadsOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count }, () => null);
  }

  versionOf(shardId: string): number {
    return this.#versions.get(shardId) ?? -1;
  }

  evict(shardId: string): void {
    this.#threads[this.#homeOf(shardId)]?.evict(shardId);
  }

  async restore(heads: readonly ShardHead[]): Promise<Restored> {
    const parts = this.#partsOf(heads);
    const all = await Promise.all(parts.map((part, index) => this.#thread(index).restore(part)));
    return {
      restored: all.reduce((sum, { restored }) => sum + restored, 0),
      resumed: all.reduce((sum, { resumed }) => sum + resumed, 0),
    };
  }

  async work(claim: Claim): Promise<ShardOutcome> {
    const thread = this.#thread(this.#homeOf(claim.key));
    const outcome = await thread.work(claim, this.#options.clock.now());
    claim.settledElsewhere();
    return outcome;
  }

  async cancel(heads: readonly ShardHead[], reason: string): Promise<void> {
    this.#closing = true;
    const parts = this.#partsOf(heads);
    // One that has died already has nothing in memory; the next boot resumes what ran.
    const cancelled = this.#threads.flatMap((thread, index) =>
      thread === null ? [] : [thread.cancel(parts[index] ?? [], reason)],
    );
    await Promise.all(cancelled);
  }

  async close(): Promise<void> {
    this.#closing = true;
    const patience = (): Promise<void> => this.#options.timer.after(CLOSE_MS);
    await Promise.all(this.#running.map((thread) => thread.close(patience)));
  }

  #partsOf(heads: readonly ShardHead[]): ShardHead[][] {
    return this.#threads.map((_, index) => heads.filter(({ id }) => this.#homeOf(id) === index));
  }

  get #running(): ShardThread[] {
    return this.#threads.filter((thread) => thread !== null);
  }

  /** In turns, so that each thread gets its share of every definition. */
  #homeOf(shardId: string): number {
    const known = this.#homes.get(shardId);
    if (known !== undefined) return known;
    const home = this.#homes.size % this.#threads.length;
    this.#homes.set(shardId, home);
    return home;
  }

  #thread(index: number): ShardThread {
    const running = this.#threads[index];
    if (running === undefined) throw new InvariantError(`there is no shard thread ${index}`);
    if (running !== null) return running;
    if (this.#closing) throw new DomainError("SHUTTING_DOWN", "the shard threads are closing");
    const { listener, logger, outbox, start } = this.#options;
    const thread = new ShardThread(start(), {
      logger,
      outbox,
      phases: listener.phases,
      supervisor: listener.supervisor,
      committed: (commit) => {
        this.#versions.set(commit.shardId, commit.version);
        listener.committed(commit);
      },
      ended: (reason) => this.#forget(index, reason),
    });
    this.#threads[index] = thread;
    return thread;
  }

  #forget(index: number, reason: string): void {
    this.#threads[index] = null;
    for (const [shardId, home] of this.#homes) {
      if (home === index) this.#versions.delete(shardId);
    }
    if (this.#closing) return;
    this.#options.logger.error({ thread: index, reason }, "a shard thread ended, starting another");
  }
}
