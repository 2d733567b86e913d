import type { Pool, PoolClient } from "pg";
import { NamedStatementClient } from "./named-statement-client.ts";

/**
 * The sessions of a pool, so that those can be given up which a server has left behind: whether a
 * session may write was settled when it began, and a pool would keep handing it out for ever.
 */
export class PoolSessions {
  readonly #open = new Set<PoolClient>();
  readonly #busy = new Set<PoolClient>();
  readonly #old = new WeakSet<PoolClient>();

  watch(pool: Pool): void {
    pool.on("connect", (client) => {
      this.#open.add(client);
      if (client instanceof NamedStatementClient) client.onReadOnly(() => this.renew());
    });
    pool.on("acquire", (client) => void this.#busy.add(client));
    pool.on("release", (_error, client) => {
      this.#busy.delete(client);
      // Before the pool asks whether it may keep the session.
      if (this.#old.has(client)) this.#end(client);
    });
    pool.on("remove", (client) => void this.#open.delete(client));
  }

  /** Every session that is open now ends, one at work when it is given back. */
  renew(): void {
    for (const client of this.#open) {
      if (this.#busy.has(client)) this.#old.add(client);
      // The pool takes no session back that has an error.
      else client.emit("error", new Error("the session was given up: a new one may write"));
    }
  }

  #end(client: PoolClient): void {
    if (client instanceof NamedStatementClient) void client.end();
  }
}
