import { DomainError, InvariantError } from "#domain/errors.ts";
import type { ShardHead } from "#ports/store.ts";
import type { Claim, Message, Outbox } from "#ports/work-queue.ts";
import type { Logger } from "#ports/logger.ts";
import type { Restored, ShardListener, ShardOutcome } from "#engine/shard/shard-runner.ts";
import { fromPlain, toPlain, type Answer, type FromThread, type ThreadLine } from "./messages.ts";

interface Call {
  resolve(answer: Answer): void;
  reject(error: Error): void;
  onYield: () => void;
}

export interface ThreadWatcher extends ShardListener {
  logger: Logger;
  outbox: Outbox;
  ended(reason: string): void;
}

/** One shard thread as the engine sees it. */
export class ShardThread {
  readonly #line: ThreadLine;
  readonly #watcher: ThreadWatcher;
  readonly #calls = new Map<number, Call>();
  readonly #ended = Promise.withResolvers<void>();
  #lastCall = 0;

  constructor(line: ThreadLine, watcher: ThreadWatcher) {
    this.#line = line;
    this.#watcher = watcher;
    line.onMessage((message) => this.#hear(message));
    line.onEnd((reason) => this.#end(reason));
  }

  async restore(heads: readonly ShardHead[]): Promise<Restored> {
    const answer = await this.#call((call) => ({ type: "restore", call, heads }));
    if (answer !== null && "restored" in answer) return answer;
    throw new InvariantError("a shard thread restored without saying what");
  }

  async work(claim: Claim, now: number): Promise<ShardOutcome> {
    const { attempt, body, id, key, queue, signal } = claim;
    const ticket = { attempt, body, id, key, queue };
    let forward = (): void => undefined;
    try {
      const answer = await this.#call(
        (call) => {
          forward = () => this.#line.send({ type: "abort", call, error: toPlain(signal.reason) });
          signal.addEventListener("abort", forward, { once: true });
          return { type: "work", call, ticket, now };
        },
        () => claim.yieldSlot(),
      );
      if (answer !== null && "kind" in answer) return answer;
      throw new InvariantError("a shard thread worked without saying what became of it");
    } finally {
      signal.removeEventListener("abort", forward);
    }
  }

  async cancel(heads: readonly ShardHead[], reason: string): Promise<void> {
    await this.#call((call) => ({ type: "cancel", call, heads, reason })).catch(
      (error: unknown) => {
        this.#watcher.logger.warn(toPlain(error), "not marked cancelled");
      },
    );
  }

  evict(shardId: string): void {
    this.#line.send({ type: "evict", shardId });
  }

  /** Asks it to end by itself, and ends it when `patience` is over. */
  async close(patience: () => Promise<void>): Promise<void> {
    this.#line.send({ type: "close" });
    await Promise.race([this.#ended.promise, patience()]);
    await this.#line.terminate();
  }

  #call(
    message: (call: number) => Parameters<ThreadLine["send"]>[0],
    onYield: () => void = () => undefined,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#lastCall += 1;
      this.#calls.set(this.#lastCall, { resolve, reject, onYield });
      this.#line.send(message(this.#lastCall));
    });
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case "done":
        this.#take(message.call)?.resolve(message.answer);
        break;
      case "failed":
        this.#take(message.call)?.reject(fromPlain(message.error));
        break;
      case "yielded":
        this.#calls.get(message.call)?.onYield();
        break;
      case "committed":
        this.#watcher.committed(message.commit);
        break;
      case "strategyFailed":
        this.#watcher.supervisor.strategyFailed(message.failure);
        break;
      case "shardFailed":
        this.#watcher.supervisor.shardFailed(message.failure);
        break;
      case "phases":
        this.#watcher.phases(message.phases);
        break;
      case "send":
        void this.#send(message.ask, message.messages);
        break;
      case "logged":
        this.#watcher.logger[message.level](message.detail, message.message);
        break;
    }
  }

  async #send(ask: number, messages: readonly Message[]): Promise<void> {
    const error = await this.#watcher.outbox.send("shards", messages).then(() => null, toPlain);
    this.#line.send({ type: "sent", ask, error });
  }

  #take(call: number): Call | undefined {
    const found = this.#calls.get(call);
    this.#calls.delete(call);
    return found;
  }

  #end(reason: string): void {
    this.#watcher.ended(reason);
    for (const call of this.#calls.values()) {
      call.reject(new DomainError("PORT_UNAVAILABLE", `the shard thread ended: ${reason}`));
    }
    this.#calls.clear();
    this.#ended.resolve();
  }
}
