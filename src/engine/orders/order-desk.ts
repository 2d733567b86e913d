import type { PendingOrder } from "#domain/cycle.ts";
import { errorMessage, InvariantError } from "#domain/errors.ts";
import { throughJson } from "#domain/json.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { ShardDependencies } from "#engine/dependencies.ts";
import type { LiveChannel } from "#ports/trade-channel.ts";
import { OrderWatch, type Beginning } from "./order-watch.ts";

/** Whose orders they are, and where they go. */
export interface OrderOwner {
  strategyId: string;
  shardId: string;
  /** Registered name of the trade channel. */
  channel: string;
}

export type DeskDependencies = Pick<
  ShardDependencies,
  "channels" | "failpoint" | "logger" | "outbox" | "settings" | "store" | "timer"
> & {
  /** The shard's version as this thread read or last wrote it. */
  versionOf(shardId: string): number;
};

interface Watched {
  owner: OrderOwner;
  watch: OrderWatch;
}

/**
 * Looks after the orders of this thread's strategies that are out. What a venue says becomes a message in
 * the shard's own queue, so it is booked in the shard's order of messages like everything else; no
 * message ever waits for a venue. Nothing here is durable: whoever holds the shard next asks again.
 */
export class OrderDesk {
  readonly #dependencies: DeskDependencies;
  /** By client order id. */
  readonly #watches = new Map<string, Watched>();
  readonly #heard = new Map<string, () => void>();

  constructor(dependencies: DeskDependencies) {
    this.#dependencies = dependencies;
  }

  /** Sends orders whose intent has just been committed (I3). */
  place(owner: OrderOwner, orders: readonly PendingOrder[]): void {
    for (const order of orders) this.#watch(owner, order, "place");
  }

  /** Asks for orders that another process may have sent, before anything is sent (I4). */
  find(owner: OrderOwner, orders: readonly PendingOrder[]): void {
    for (const order of orders) this.#watch(owner, order, "find");
  }

  cancel(owner: OrderOwner, orders: readonly PendingOrder[]): void {
    for (const order of orders) {
      this.#watch(owner, order, "find");
      this.#watches.get(order.clientOrderId)?.watch.cancel();
    }
  }

  /** Are all of them looked after here? */
  watches(orders: readonly PendingOrder[]): boolean {
    return orders.every(({ clientOrderId }) => this.#watches.has(clientOrderId));
  }

  /** The shard's actors are gone from memory: whoever restores them looks after their orders. */
  forget(shardId: string): void {
    for (const [id, { owner, watch }] of this.#watches) {
      if (owner.shardId !== shardId) continue;
      watch.stop();
      this.#watches.delete(id);
    }
  }

  close(): void {
    for (const { watch } of this.#watches.values()) watch.stop();
    for (const stop of this.#heard.values()) stop();
    this.#heard.clear();
  }

  #watch(owner: OrderOwner, order: PendingOrder, beginning: Beginning): void {
    const { clientOrderId, instructionId } = order;
    if (this.#watches.has(clientOrderId)) return;
    const { logger } = this.#dependencies;
    const watch = new OrderWatch(order, this.#means(owner, order));
    const watched = { owner, watch };
    this.#watches.set(clientOrderId, watched);
    watch
      .run(beginning)
      .catch((error: unknown) => {
        logger.error({ ...owner, instructionId, error: errorMessage(error) }, "order not watched");
      })
      .finally(() => {
        if (this.#watches.get(clientOrderId) === watched) this.#watches.delete(clientOrderId);
      });
  }

  #means(owner: OrderOwner, { instructionId, symbol }: PendingOrder) {
    const { failpoint, logger, settings, store, timer } = this.#dependencies;
    const { shardId, strategyId } = owner;
    return {
      channel: this.#channel(owner.channel),
      timer,
      failpoint,
      settings: settings.orders,
      store: (report: OrderReport) => this.#store(owner, report),
      isOurs: async () => {
        const head = await store.shardHead(shardId);
        return head?.version === this.#dependencies.versionOf(shardId);
      },
      onFailure: (error: unknown, what: string) => {
        logger.warn({ strategyId, instructionId, error: errorMessage(error) }, what);
      },
      onUnknown: (reason: string) => {
        logger.error({ strategyId, instructionId, reason }, "what became of an order is not known");
        this.#alert(owner, `what became of an order of ${symbol} is not known`, {
          instructionId,
          reason,
        });
      },
    };
  }

  #channel(name: string): LiveChannel {
    const channel = this.#dependencies.channels.get(name);
    if (channel.kind !== "live") throw new InvariantError(`${name} takes no orders`);
    if (!this.#heard.has(name))
      this.#heard.set(
        name,
        channel.onReport((told) => this.#hear(told)),
      );
    return channel;
  }

  #hear(report: OrderReport): void {
    this.#watches.get(report.clientOrderId)?.watch.push(report);
  }

  async #store({ shardId, strategyId }: OrderOwner, report: OrderReport): Promise<void> {
    const body = { kind: "orders", strategyId, reports: throughJson([report]) };
    await this.#dependencies.outbox.send("shards", [{ key: shardId, body }]);
  }

  #alert({ strategyId }: OrderOwner, message: string, detail: Record<string, string>): void {
    const { logger, store } = this.#dependencies;
    const alert = { kind: "order_unknown", severity: "critical", subject: strategyId } as const;
    store.raiseAlert({ ...alert, strategyId, message, detail }).catch((error: unknown) => {
      logger.error({ strategyId, error: errorMessage(error) }, "could not raise an alert");
    });
  }
}
