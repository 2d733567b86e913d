import { InvariantError } from "#domain/errors.ts";
import type { ClaimDesk, EntrustedClaim, Message, Outbox, QueueName } from "#ports/work-queue.ts";
import type { ShardPorts } from "#engine/dependencies.ts";
import { createAlertLog, loggedJournal } from "#engine/event-log.ts";
import { LocalShards } from "#engine/shard/local-shards.ts";
import type { Logger } from "#ports/logger.ts";
import { TickInputs } from "#engine/group/tick-inputs.ts";
import {
  fromPlain,
  toPlain,
  type Answer,
  type FromThread,
  type Line,
  type PlainError,
  type ToThread,
} from "./messages.ts";

export type EngineLine = Line<FromThread, ToThread>;

export interface ServeOptions {
  ports: Omit<ShardPorts, "clock" | "logger" | "outbox">;
  desk: ClaimDesk;
  line: EngineLine;
  /** The engine has no more work for this thread. */
  onClose: () => void;
}

/** A shard thread's side of the line: does for the engine what it asks, on shards that live here. */
export function serveShards({ ports, desk, line, onClose }: ServeOptions): void {
  let now = 0;
  const observe = (instant: number): void => {
    now = Math.max(now, instant);
  };
  // Time is told with each message: this thread never waits for it.
  const outbox = new LineOutbox(line);
  const clock = { now: () => now, observe };
  const logger = loggerOn(line);
  const journal = loggedJournal(ports.journal, createAlertLog({ logger, timer: ports.timer }));
  const dependencies = { ...ports, clock, logger, journal, outbox };
  const shards = new LocalShards(dependencies, new TickInputs(ports.store), {
    committed: (commit) => line.send({ type: "committed", commit }),
    phases: (phases) => line.send({ type: "phases", phases }),
    supervisor: {
      strategyFailed: (failure) => line.send({ type: "strategyFailed", failure }),
      shardFailed: (failure) => line.send({ type: "shardFailed", failure }),
    },
  });
  const claims = new Map<number, EntrustedClaim>();

  const answer = async (call: number, work: Promise<Answer>): Promise<void> => {
    try {
      line.send({ type: "done", call, answer: await work });
    } catch (error) {
      line.send({ type: "failed", call, error: toPlain(error) });
    } finally {
      claims.delete(call);
    }
  };

  line.onMessage((message) => {
    switch (message.type) {
      case "restore":
        void answer(message.call, shards.restore(message.heads));
        break;
      case "work": {
        const { call, ticket } = message;
        observe(message.now);
        const claim = desk.accept(ticket, () => line.send({ type: "yielded", call }));
        claims.set(call, claim);
        void answer(call, shards.work(claim));
        break;
      }
      case "abort":
        claims.get(message.call)?.abort(fromPlain(message.error));
        break;
      case "cancel":
        void answer(
          message.call,
          shards.cancel(message.heads, message.reason).then(() => null),
        );
        break;
      case "sent":
        outbox.answered(message.ask, message.error);
        break;
      case "evict":
        shards.evict(message.shardId);
        break;
      case "close":
        onClose();
        break;
    }
  });
}

/** Messages go out through the queue of the engine's own thread. */
class LineOutbox implements Outbox {
  readonly #line: EngineLine;
  readonly #asked = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #lastAsk = 0;

  constructor(line: EngineLine) {
    this.#line = line;
  }

  async send(queue: QueueName, messages: readonly Message[]): Promise<void> {
    if (queue !== "shards") throw new InvariantError("a shard thread writes to shards only");
    await new Promise<void>((resolve, reject) => {
      this.#lastAsk += 1;
      this.#asked.set(this.#lastAsk, { resolve, reject });
      this.#line.send({ type: "send", ask: this.#lastAsk, messages });
    });
  }

  answered(ask: number, error: PlainError | null): void {
    const asked = this.#asked.get(ask);
    this.#asked.delete(ask);
    if (error === null) asked?.resolve();
    else asked?.reject(fromPlain(error));
  }
}

/** One log, written by the engine's own thread. */
function loggerOn(line: EngineLine): Logger {
  const at = (level: keyof Logger) => (detail: object, message: string) =>
    line.send({ type: "logged", level, detail, message });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
