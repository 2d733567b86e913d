// A TCP proxy in front of PostgreSQL whose network can be made as bad as wanted.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageReader, TransactionReader } from "./postgres-wire.ts";

export interface TcpProxy extends AsyncDisposable {
  /** The database's URL, by way of the proxy. */
  readonly url: string;
  /** How many connections are open now. */
  readonly connections: number;
  /** Ends every connection, politely or with a reset. */
  cut(how?: "end" | "reset"): void;
  /** Accepts no new connections until `heal`; those that exist live on. */
  refuse(): void;
  /** From now on bytes arrive so much later, in each direction. */
  delay(ms: number): void;
  /** Accepts connections and bytes and forwards nothing; `heal` delivers what was held back. */
  blackHole(): void;
  /** The connections of this moment fall silent for ever; new ones work. */
  strand(): void;
  /** Back to a good network. */
  heal(): Promise<void>;
  /**
   * Cuts one connection at its next COMMIT: "before" it is forwarded, so that nothing is applied, or
   * "after" it was applied and before the client has the answer. Resolves when that has happened.
   * `having`: only of a transaction with such a statement.
   */
  cutAtCommit(moment: "before" | "after", having?: RegExp): Promise<void>;
  /** As "before", but the COMMIT is on its way still: `deliver` brings it to the server. */
  holdCommit(having?: RegExp): Promise<HeldCommit>;
}

export interface HeldCommit {
  /** Resolves when the server has carried it out. */
  deliver(): Promise<void>;
}

type Moment = "before" | "after" | "held";

interface Trap {
  moment: Moment;
  having: RegExp;
  sprung: (held: HeldCommit) => void;
}

/** The state of the network, shared by all its connections. */
interface Network {
  delayMs: number;
  /** Resolved, except while it is a black hole. */
  open: Promise<void>;
  traps: Trap[];
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const network: Network = { delayMs: 0, open: Promise.resolve(), traps: [] };
  const connections = new Set<Connection>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    const connection = new Connection(client, upstream, network);
    connections.add(connection);
    client.on("close", () => connections.delete(connection));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${address.port}`;
  let openAgain = (): void => undefined;

  const trap = (moment: Moment, having = /^/): Promise<HeldCommit> =>
    new Promise((resolve) => network.traps.push({ moment, having, sprung: resolve }));
  const destroyAll = (how: "end" | "reset") => {
    for (const connection of connections) connection.cut(how);
  };
  return {
    url: url.href,
    get connections() {
      return connections.size;
    },
    cut: (how = "end") => destroyAll(how),
    refuse() {
      // At once for newcomers; those that are here stay.
      server.close();
    },
    delay(ms) {
      network.delayMs = ms;
    },
    blackHole() {
      const { promise, resolve } = Promise.withResolvers<void>();
      network.open = promise;
      openAgain = resolve;
    },
    strand() {
      for (const connection of connections) connection.strand();
    },
    async heal() {
      network.delayMs = 0;
      network.open = Promise.resolve();
      openAgain();
      if (server.listening) return;
      server.listen(address.port, "127.0.0.1");
      await once(server, "listening");
    },
    cutAtCommit: async (moment, having) => void (await trap(moment, having)),
    holdCommit: (having) => trap("held", having),
    async [Symbol.asyncDispose]() {
      destroyAll("end");
      if (!server.listening) return;
      server.close();
      await once(server, "close");
    },
  };
}

/** One client and its connection to the server. */
class Connection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #network: Network;
  readonly #requests = new MessageReader("client");
  readonly #replies = new MessageReader("server");
  readonly #transaction = new TransactionReader();
  #isStranded = false;
  /** Called at the server's next "ready for query". */
  #onAnswered: (() => void) | null = null;

  constructor(client: Socket, upstream: Socket, network: Network) {
    this.#client = client;
    this.#upstream = upstream;
    this.#network = network;
    this.#worker(client, upstream, (chunk) => this.#request(chunk));
    this.#worker(upstream, client, (chunk) => this.#reply(chunk));
  }

  cut(how: "end" | "reset"): void {
    if (how === "reset") this.#client.resetAndDestroy();
    else this.#client.destroy();
    this.#upstream.destroy();
  }

  strand(): void {
    this.#isStranded = true;
  }

  #worker(from: Socket, to: Socket, deliver: (chunk: Buffer) => void): void {
    let arrival = Promise.resolve();
    const later = (arrive: () => void) => {
      arrival = this.#travel(arrival).then(() => (this.#isStranded ? undefined : arrive()));
    };
    from.setNoDelay(true);
    from.on("data", (chunk: Buffer) => later(() => deliver(chunk)));
    // An error is always followed by "close".
    from.on("error", () => undefined);
    from.on("close", () => later(() => to.destroy()));
  }

  async #travel(before: Promise<void>): Promise<void> {
    const due = performance.now() + this.#network.delayMs;
    await before;
    const left = due - performance.now();
    if (left > 0) await sleep(left);
    await this.#network.open;
  }

  #request(chunk: Buffer): void {
    for (const message of this.#requests.push(chunk)) {
      const trap = this.#transaction.isCommit(message) ? this.#trap() : undefined;
      if (trap?.moment === "before") {
        this.cut("end");
        trap.sprung({ deliver: () => Promise.resolve() });
        return;
      }
      if (trap?.moment === "held") {
        // What ends on this side must not end on the other.
        this.#isStranded = true;
        this.#client.destroy();
        trap.sprung({ deliver: () => this.#deliver(message.bytes) });
        return;
      }
      if (trap?.moment === "after") {
        this.#onAnswered = () => {
          this.cut("end");
          trap.sprung({ deliver: () => Promise.resolve() });
        };
      }
      this.#upstream.write(message.bytes);
    }
  }

  #reply(chunk: Buffer): void {
    const isAnswered = this.#replies.push(chunk).some(({ tag }) => tag === "Z");
    if (this.#onAnswered === null) this.#client.write(chunk);
    else if (isAnswered) this.#onAnswered();
  }

  #trap(): Trap | undefined {
    const { traps } = this.#network;
    const index = traps.findIndex(({ having }) => this.#transaction.hasRun(having));
    return index < 0 ? undefined : traps.splice(index, 1)[0];
  }

  async #deliver(commit: Buffer): Promise<void> {
    if (this.#upstream.destroyed) throw new Error("the server has hung up before its COMMIT came");
    this.#upstream.end(commit);
    // The server hangs up when it has done all it was told.
    await once(this.#upstream, "close");
  }
}
