// Calls over a socket that come back: numbered, bounded in time, and rejected when the connection ends.
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { fromExchange, type FromExchange, read } from "./messages.ts";

type Report = Extract<FromExchange, { report: unknown }>["report"];

export interface CallsOptions {
  url: string;
  /** How long a call may take, connecting included, ms. */
  timeoutMs: number;
  onReport?: (report: Report) => void;
}

const RECONNECT_MS = 25;

/** A connection to the exchange that is opened anew whenever it ends. */
export class Calls implements AsyncDisposable {
  readonly #options: CallsOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #closed = new AbortController();
  #next = 1;
  #socket: WebSocket | null = null;
  #connected = Promise.withResolvers<WebSocket>();
  readonly #ended: Promise<void>;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#ended = this.#stayConnected();
  }

  /** Resolves with the answer. @throws when there is none: what the exchange has done is not known */
  async call(
    request: { call: string; [detail: string]: unknown },
    signal?: AbortSignal,
  ): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs);
    const ends = [timeout, this.#closed.signal, ...(signal === undefined ? [] : [signal])];
    const end = AbortSignal.any(ends);
    const socket = await orEnd(this.#connected.promise, end);
    const id = this.#next;
    this.#next += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    try {
      socket.send(JSON.stringify({ id, ...request }));
      return await orEnd(answer.promise, end);
    } finally {
      this.#waiting.delete(id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new Error("the connection to the exchange is closed"));
    this.#socket?.terminate();
    await this.#ended;
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const socket = new WebSocket(this.#options.url);
      this.#socket = socket;
      // An error is always followed by "close".
      socket.on("error", () => undefined);
      socket.on("open", () => this.#connected.resolve(socket));
      socket.on("message", (data) => this.#take(read(fromExchange, data)));
      await new Promise((resolve) => socket.once("close", resolve));
      this.#connected = Promise.withResolvers();
      for (const { reject } of this.#waiting.values())
        reject(new Error("the connection has ended"));
      await sleep(RECONNECT_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #take(message: FromExchange): void {
    if ("report" in message) {
      this.#options.onReport?.(message.report);
      return;
    }
    // An answer that came twice, or after its call was given up, meets nobody.
    const waiting = this.#waiting.get(message.id);
    if ("error" in message) waiting?.reject(new Error(message.error));
    else waiting?.resolve(message.result);
  }
}

/** @throws the reason of the abort, if that is first */
async function orEnd<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(signal.reason);
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([promise, ended.promise]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}
