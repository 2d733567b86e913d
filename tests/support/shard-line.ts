import type { EngineLine } from "#engine/threads/serve-shards.ts";
import type { FromThread, ThreadLine, ToThread } from "#engine/threads/messages.ts";

/**
 * The line to a shard thread whose program `serve` runs in this thread: messages are copied and
 * arrive later, as between threads, and a test can put failpoints behind it.
 */
export function lineTo(serve: (line: EngineLine) => void): ThreadLine {
  const toThread = oneWay<ToThread>();
  const fromThread = oneWay<FromThread>();
  serve({ send: fromThread.send, onMessage: toThread.onMessage });
  return {
    send: toThread.send,
    onMessage: fromThread.onMessage,
    onEnd: () => undefined,
    terminate: async () => undefined,
  };
}

function oneWay<Message>() {
  const listeners: ((message: Message) => void)[] = [];
  return {
    send: (message: Message): void => {
      const copy = structuredClone(message);
      setImmediate(() => {
        for (const listener of listeners) listener(copy);
      });
    },
    onMessage: (listener: (message: Message) => void): void => void listeners.push(listener),
  };
}
