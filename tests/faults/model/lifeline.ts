// An engine's only way to the database, which a test can take away: on PostgreSQL a proxy for its
// sockets, on PGlite, which has no sockets, a gate around every call.
import type { PGlite } from "@electric-sql/pglite";
import type { Database } from "#persistence/database.ts";
import { openDatabase } from "#persistence/database.ts";
import { startTcpProxy } from "#support/tcp-proxy.ts";
import type { TestStore } from "#support/test-store.ts";

export interface Lifeline extends AsyncDisposable {
  /** The database as the engine is given it. */
  store: TestStore;
  /** For ever: whatever the engine does from now on reaches nothing, and nothing reaches it. */
  cut(): void;
  /** The engine neither hears nor is heard until `thaw`. PostgreSQL only. */
  freeze(): void;
  thaw(): Promise<void>;
}

export function openLifeline(store: TestStore): Promise<Lifeline> {
  const { pglite } = store.database;
  return pglite === undefined ? overTcp(store) : Promise.resolve(throughGate(store, pglite));
}

async function overTcp({ url }: TestStore): Promise<Lifeline> {
  const proxy = await startTcpProxy(url ?? "");
  const database = await openDatabase({ kind: "postgres", url: proxy.url });
  return {
    store: { database, statements: [], url: proxy.url, [Symbol.asyncDispose]: unused },
    cut() {
      proxy.refuse();
      proxy.cut("reset");
    },
    freeze: () => proxy.blackHole(),
    thaw: () => proxy.heal(),
    async [Symbol.asyncDispose]() {
      await database.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

function throughGate({ database }: TestStore, pglite: PGlite): Lifeline {
  const gate = new Gate();
  const { sql } = database;
  const gated: Database = {
    ...database,
    sql: {
      rows: (...given) => gate.pass(() => sql.rows(...given)),
      run: (...given) => gate.pass(() => sql.run(...given)),
    },
    // A transaction whose work is cut off is rolled back, as a server does with a lost client.
    transactional: (work) =>
      gate.pass(() => database.transactional((tx) => gate.pass(() => work(tx)))),
    pglite: gatedClient(pglite, gate),
    close: unused,
  };
  return {
    store: { database: gated, statements: [], url: null, [Symbol.asyncDispose]: unused },
    cut: () => gate.close(),
    freeze: () => gate.close(),
    thaw: unused,
    [Symbol.asyncDispose]: unused,
  };
}

class Gate {
  readonly #closed = Promise.withResolvers<never>();
  #isClosed = false;

  constructor() {
    this.#closed.promise.catch(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#closed.reject(lost());
  }

  pass<T>(work: () => Promise<T>): Promise<T> {
    return this.#isClosed ? Promise.reject(lost()) : Promise.race([work(), this.#closed.promise]);
  }
}

function gatedClient(client: PGlite, gate: Gate): PGlite {
  return new Proxy(client, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      const call = (...given: unknown[]): unknown => Reflect.apply(member, target, given);
      if (key === "transaction") {
        return (work: (tx: unknown) => Promise<unknown>) =>
          gate.pass(async () => call((tx: unknown) => gate.pass(() => work(tx))));
      }
      if (key !== "query" && key !== "exec" && key !== "listen") return call;
      return (...given: unknown[]) => gate.pass(async () => call(...given));
    },
  });
}

const lost = (): Error => new Error("the engine of this connection is gone");
const unused = async (): Promise<void> => undefined;
