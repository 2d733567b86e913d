import { DomainError, FencedError, InvariantError, errorMessage } from "#domain/errors.ts";
import { readReports } from "#domain/order-report.ts";
import type { ShardHead } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import type { ShardDependencies, ShardPorts } from "#engine/dependencies.ts";
import { strategyLogic, type Resident } from "#engine/strategy/resident.ts";
import { ShardHost } from "./shard-host.ts";
import type { Restored, ShardListener, ShardOutcome, ShardRunner } from "./shard-runner.ts";
import { OrderDesk } from "#engine/orders/order-desk.ts";
import { machineWithEffects } from "#engine/strategy/effects.ts";
import { storedMachines } from "#machines/registry.ts";
import type { TickInputs } from "#engine/group/tick-inputs.ts";

/** The shards whose actors live in this thread. */
export class LocalShards implements ShardRunner {
  readonly #dependencies: ShardDependencies;
  readonly #inputs: TickInputs;
  readonly #shards = new Map<string, ShardHost>();

  constructor(ports: ShardPorts, inputs: TickInputs, listener: ShardListener) {
    const orders = new OrderDesk({ ...ports, versionOf: (shardId) => this.versionOf(shardId) });
    const { stored = storedMachines.strategy } = ports;
    this.#dependencies = {
      ...ports,
      ...listener,
      orders,
      logic: strategyLogic(machineWithEffects({ ...ports, orders }), stored),
    };
    this.#inputs = inputs;
  }

  versionOf(shardId: string): number {
    return this.#shards.get(shardId)?.version ?? -1;
  }

  strategy(strategyId: string): Resident | undefined {
    for (const shard of this.#shards.values()) {
      const resident = shard.residents.get(strategyId);
      if (resident !== undefined) return resident;
    }
    return undefined;
  }

  async restore(heads: readonly ShardHead[]): Promise<Restored> {
    const sum: Restored = { restored: 0, resumed: 0 };
    await this.#forEach(heads, async (head) => {
      const shard = this.#shard(head);
      await shard.synchronise(head);
      sum.restored += shard.residents.size;
      this.#dependencies.failpoint("boot.shard-restored");
      const resumed = await this.#resume(shard);
      sum.resumed += resumed;
    });
    return sum;
  }

  evict(shardId: string): void {
    this.#shards.get(shardId)?.evict();
  }

  async work(claim: Claim): Promise<ShardOutcome> {
    const head = await this.#dependencies.store.shardHead(claim.key);
    if (head === null) return this.#dismiss(claim);
    try {
      return await this.#workOn(head, claim);
    } catch (error) {
      if (!claim.signal.aborted && isOwnFailure(error)) {
        const { definitionId, id: shardId } = head;
        const failure = { definitionId, shardId, error: errorMessage(error) };
        this.#dependencies.supervisor.shardFailed(failure);
      }
      throw error;
    }
  }

  async #workOn(head: ShardHead, claim: Claim): Promise<ShardOutcome> {
    const shard = this.#shard(head);
    await shard.synchronise(head);
    switch (textOf(claim, "kind")) {
      case "tick":
        return this.#tick(claim, head, shard);
      case "resume":
        await shard.resumeCancelled(claim);
        return { kind: "reconciled" };
      default:
        return this.#carryOut(claim, shard);
    }
  }

  /** Messages that are about one strategy, or about the orders of all. */
  async #carryOut(claim: Claim, shard: ShardHost): Promise<ShardOutcome> {
    const definition = await this.#dependencies.store.definition(shard.definitionId);
    switch (textOf(claim, "kind")) {
      case "command":
        await shard.command(claim, textOf(claim, "strategyId"), definition);
        return { kind: "reconciled" };
      case "orders": {
        const reports = readReports(claim.body["reports"]);
        await shard.report(claim, { strategyId: textOf(claim, "strategyId"), reports }, definition);
        return { kind: "reconciled" };
      }
      case "adopt":
        if (await shard.adoptOrders(claim, definition)) return { kind: "reconciled" };
        return this.#dismiss(claim);
      default:
        throw new InvariantError(`message ${claim.id} is of an unknown kind`);
    }
  }

  async #tick(claim: Claim, head: ShardHead, shard: ShardHost): Promise<ShardOutcome> {
    const { failpoint } = this.#dependencies;
    const tickId = textOf(claim, "tickId");
    const input = head.fannedTickId === tickId ? await this.#inputs.get(tickId) : null;
    if (input === null) return this.#dismiss(claim);
    failpoint("fanout.shard-taken");
    try {
      await shard.tick(claim, input);
    } catch (error) {
      if (!(error instanceof FencedError) || (await this.#isAwaited(tickId, shard.id))) throw error;
      // Closed at its deadline while this shard worked on it: there is nothing left to do.
      return this.#dismiss(claim);
    }
    return { kind: "ticked", definitionId: head.definitionId, tickId };
  }

  async cancel(heads: readonly ShardHead[], reason: string): Promise<void> {
    await this.#forEach(heads, async (head) => {
      const shard = this.#shard(head);
      await this.#cancel(shard, head, reason).catch((error: unknown) => {
        this.#warn(shard, error, "not marked cancelled");
      });
      this.#dependencies.failpoint("shutdown.shard-cancelled");
    });
  }

  async close(): Promise<void> {
    // Every commit is in the database, and orders that are out are asked for at the next start.
    this.#dependencies.orders.close();
  }

  #shard(head: ShardHead): ShardHost {
    const known = this.#shards.get(head.id);
    if (known !== undefined) return known;
    const shard = new ShardHost(head, this.#dependencies);
    this.#shards.set(head.id, shard);
    return shard;
  }

  async #cancel(shard: ShardHost, head: ShardHead, reason: string): Promise<void> {
    // Another node has worked on it since; whoever stays would only have it run on again.
    if (!shard.isUpTo(head)) return;
    await shard.synchronise(head);
    await shard.cancel(reason);
  }

  async #resume(shard: ShardHost): Promise<number> {
    return shard.resumeCancelled(null).catch((error: unknown) => {
      // Another node was faster; the shard's next message reads again.
      this.#warn(shard, error, "not resumed at boot");
      return 0;
    });
  }

  /** As many at a time as there are slots, each worker taking the next one. */
  async #forEach<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
    const waiting = Iterator.from(items);
    const worker = async (): Promise<void> => {
      for (const item of waiting) await work(item);
    };
    await Promise.all(Array.from({ length: this.#dependencies.settings.shardSlots }, worker));
  }

  async #dismiss(claim: Claim): Promise<ShardOutcome> {
    await this.#dependencies.store.dismiss(claim);
    return { kind: "nothing" };
  }

  async #isAwaited(tickId: string, shardId: string): Promise<boolean> {
    const head = await this.#dependencies.store.shardHead(shardId);
    return head?.fannedTickId === tickId;
  }

  #warn(shard: ShardHost, error: unknown, message: string): void {
    this.#dependencies.logger.warn({ shardId: shard.id, error: errorMessage(error) }, message);
  }
}

/** Neither another node's claim, nor a shutdown, nor something away that all shards need. */
function isOwnFailure(error: unknown): boolean {
  const { code } = error instanceof DomainError ? error : { code: null };
  return code !== "FENCED" && code !== "SHUTTING_DOWN" && code !== "PORT_UNAVAILABLE";
}

function textOf(claim: Claim, field: string): string {
  const value = claim.body[field];
  if (typeof value === "string") return value;
  throw new InvariantError(`message ${claim.id} has no ${field}`);
}
