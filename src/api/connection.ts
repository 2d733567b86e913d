import { TRPCError } from "@trpc/server";
import type { WebSocket } from "ws";
import type { ApiLogger } from "./trpc.ts";

/** What one client may have under way at a time. */
export interface Connection {
  /** One call, until it is disposed. @throws TRPCError TOO_MANY_REQUESTS, and the socket is closed */
  call(): Disposable;
  /** One subscription, likewise. */
  subscription(): Disposable;
  /** Resolves when the client has taken what was sent to it: a slow one must not fill memory. */
  drained(): Promise<void>;
}

export interface ConnectionLimits {
  calls: number;
  subscriptions: number;
  /** Sent, and not taken by the client. */
  waitingBytes: number;
}

export const LIMITS: ConnectionLimits = {
  calls: 100,
  subscriptions: 100,
  waitingBytes: 8 * 1024 * 1024,
};

/** What may wait in a socket before its subscriptions wait too. */
const DRAINED_BYTES = 1024 * 1024;
const DRAIN_POLL_MS = 50;
/** RFC 6455: the peer did what is not allowed. */
const POLICY_VIOLATION = 1008;
/** How long a peer that does not read may take to answer the close. */
const CLOSE_MS = 1_000;

const nothing: Disposable = { [Symbol.dispose]: () => undefined };

/** HTTP answers one request at a time, and Node stops reading from who does not take the answers. */
export const httpConnection: Connection = {
  call: () => nothing,
  subscription: () => nothing,
  drained: () => Promise.resolve(),
};

/**
 * One socket. A peer that asks faster than it reads would have the engine keep all answers in memory:
 * over a limit the socket is closed with the reason, and nothing more is taken from it.
 */
export class SocketConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #logger: ApiLogger;
  readonly #limits: ConnectionLimits;
  readonly #open = { calls: 0, subscriptions: 0 };
  #refused: string | null = null;

  constructor(socket: WebSocket, logger: ApiLogger, limits = LIMITS) {
    this.#socket = socket;
    this.#logger = logger;
    this.#limits = limits;
    // Before the call is handled, and also for what is no call, such as a PING that wants an answer.
    socket.prependListener("message", () => this.#checkWaiting());
  }

  call(): Disposable {
    return this.#enter("calls", "calls under way");
  }

  subscription(): Disposable {
    return this.#enter("subscriptions", "subscriptions");
  }

  async drained(): Promise<void> {
    const socket = this.#socket;
    while (socket.readyState === socket.OPEN && socket.bufferedAmount > DRAINED_BYTES) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
  }

  #enter(kind: "calls" | "subscriptions", words: string): Disposable {
    const limit = this.#limits[kind];
    if (this.#open[kind] >= limit) this.#refuse(`more than ${limit} ${words} on one socket`);
    this.#checkWaiting();
    if (this.#refused !== null) {
      throw new TRPCError({ code: "TOO_MANY_REQUESTS", message: this.#refused });
    }
    this.#open[kind] += 1;
    return { [Symbol.dispose]: () => void (this.#open[kind] -= 1) };
  }

  #checkWaiting(): void {
    const { waitingBytes } = this.#limits;
    if (this.#socket.bufferedAmount > waitingBytes) {
      this.#refuse(`more than ${waitingBytes} bytes wait to be read`);
    }
  }

  #refuse(reason: string): void {
    if (this.#refused !== null) return;
    this.#refused = reason;
    this.#logger.warn({ reason }, "socket closed: it asked for more than it may");
    // Nobody handles what still comes; the peer's answer to the close is read all the same.
    this.#socket.removeAllListeners("message");
    this.#socket.close(POLICY_VIOLATION, reason);
    const late = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    this.#socket.once("close", () => clearTimeout(late));
  }
}
