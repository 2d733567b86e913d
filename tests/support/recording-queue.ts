import { randomUUID } from "node:crypto";
import type { Claim, Message, QueueName, Transaction, WorkQueue } from "#ports/work-queue.ts";

export interface RecordingQueue extends WorkQueue {
  /** What was sent, whether or not its transaction has committed since. */
  readonly sent: readonly { queue: QueueName; message: Message; inTransaction: boolean }[];
}

/** A queue that only notes what it is given, for tests that are about the store. */
export function recordingQueue(): RecordingQueue {
  const sent: RecordingQueue["sent"][number][] = [];
  const idle = { queued: 0, active: 0, failed: 0 };
  return {
    sent,
    start: async () => undefined,
    send: async (queue, messages, transaction) => {
      for (const message of messages) {
        sent.push({ queue, message, inTransaction: transaction !== undefined });
      }
    },
    run: () => undefined,
    wake: () => undefined,
    stop: async () => undefined,
    health: async () => ({ ticks: idle, shards: idle }),
  };
}

/** A claim that holds, unless `refuse` says otherwise when it is settled or confirmed. */
export function recordingClaim(refuse?: () => Error): Claim & { calls: string[] } {
  const calls: string[] = [];
  const answer = (call: string) => async (_transaction: Transaction) => {
    calls.push(call);
    if (refuse !== undefined) throw refuse();
  };
  return {
    id: randomUUID(),
    queue: "shards",
    key: randomUUID(),
    body: {},
    attempt: 0,
    signal: new AbortController().signal,
    settle: answer("settle"),
    hold: answer("hold"),
    yieldSlot: () => undefined,
    settledElsewhere: () => undefined,
    calls,
  };
}
