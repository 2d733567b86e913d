// The engine as a whole: takes messages from the queue to the actors, closes ticks, starts and stops.
import { textOf } from "#domain/json.ts";
import { errorMessage } from "#domain/errors.ts";
import type { NewAlert, ShardHead } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import { Directory } from "./directory.ts";
import type { EngineDependencies, EnginePorts } from "./dependencies.ts";
import { LiveStore } from "./live/live-store.ts";
import { LiveSync } from "./live/live-sync.ts";
import { SmallPurchases } from "./live/small-purchases.ts";
import { reconcileControls } from "./reconcile.ts";
import { Scheduler } from "./scheduler.ts";
import { LocalShards } from "./shard/local-shards.ts";
import type { ShardListener, ShardRunner } from "./shard/shard-runner.ts";
import { createSupervisor } from "./group/supervisor.ts";
import { TickInputs } from "./group/tick-inputs.ts";
import { tellUnknownTick } from "./unknown-tick.ts";

/** How often open ticks are looked at, for those whose shards other nodes worked on. */
const SWEEP_MS = 250;
/** How often orders that are out are seen to have somebody who looks after them. */
const ADOPT_MS = 60_000;
/** How late, at most, what other nodes committed is shown here. */
const LIVE_SYNC_MS = 1_000;
const MAINTAIN_MS = 60_000;

export interface RecoveryReport {
  shards: number;
  restored: number;
  resumed: number;
  openTicks: number;
  durationMs: number;
}

export class Engine {
  readonly live = new LiveStore();
  readonly directory: Directory;
  readonly #dependencies: EngineDependencies;
  readonly #shards: ShardRunner;
  readonly #scheduler: Scheduler;
  readonly #stopping = new AbortController();
  readonly #liveSync: LiveSync;
  readonly #smallPurchases = new SmallPurchases();
  #housekeeping: Promise<unknown> | null = null;
  /** Outages whose time was given back to open ticks. */
  #forgiven = 0;

  constructor(ports: EnginePorts) {
    this.#dependencies = { ...ports, live: this.live };
    const inputs = new TickInputs(ports.store);
    const listener: ShardListener = {
      committed: ({ changes }) => {
        this.live.changed(changes);
        for (const alert of this.#smallPurchases.note(changes)) void this.#say(alert);
      },
      phases: (phases) => this.live.phases(phases),
      supervisor: createSupervisor((id) => this.directory.group(id), ports.timer),
    };
    const local = new LocalShards({ ...ports, outbox: ports.queue }, inputs, listener);
    this.#shards = ports.threads?.(listener) ?? local;
    const onTickOver = (): void => this.#scheduler.nudge();
    this.directory = new Directory(
      { ...this.#dependencies, inputs, shards: this.#shards, onTickOver },
      local,
    );
    this.#liveSync = new LiveSync(this.#dependencies, this.#shards);
    this.#scheduler = new Scheduler(this.#dependencies, (definitionId) =>
      this.directory.group(definitionId),
    );
  }

  /** Start and crash recovery are one path: restore what is stored, then take messages. */
  async start(): Promise<RecoveryReport> {
    const { clock, queue, settings, store, timer } = this.#dependencies;
    const startedAt = timer.elapsed();
    await queue.start();
    // While nobody was there simulated time stood still, and with it every deadline.
    if (clock.simulated) await store.renewDeadlines(settings.tickDeadlineMs);
    await reconcileControls(this.#dependencies);
    const report = await this.#restore();
    // Before any tick is proposed: an overdue one left open would have it recorded as skipped.
    await this.#sweepTicks();
    queue.run("ticks", 2, (claim) => this.#onTick(claim));
    queue.run("shards", settings.shardSlots, (claim) => this.#onShard(claim));
    this.#scheduler.start();
    this.#housekeeping = Promise.all([
      this.#every(SWEEP_MS, () => this.#sweepTicks()),
      this.#every(LIVE_SYNC_MS, () => this.#liveSync.look()),
      this.#every(MAINTAIN_MS, () => this.#maintain()),
      this.#every(ADOPT_MS, () => this.#adoptOrders()),
    ]);
    return { ...report, durationMs: Math.round(timer.elapsed() - startedAt) };
  }

  /** Drains work under way, marks what ran `cancelled`, sells nothing (I9). */
  async stop(reason: string): Promise<void> {
    const { queue, failpoint, settings } = this.#dependencies;
    failpoint("shutdown.begun");
    this.#stopping.abort();
    await this.#scheduler.stop();
    await queue.stop(settings.drainMs);
    await this.#housekeeping;
    await this.directory.close();
    failpoint("shutdown.drained");
    await this.#shards.cancel(await this.#headsAtTheEnd(), reason);
    await this.#shards.close();
  }

  async #say(alert: NewAlert): Promise<void> {
    const { logger, store } = this.#dependencies;
    logger.warn({ strategyId: alert.strategyId }, alert.message);
    await store.raiseAlert(alert).catch((error: unknown) => {
      logger.warn({ error: errorMessage(error) }, "an alert was not stored");
    });
  }

  /** Read again: there may be members that no message has told this node of. */
  async #headsAtTheEnd(): Promise<ShardHead[]> {
    const { logger, store } = this.#dependencies;
    return store.shardHeads().catch((error: unknown) => {
      logger.warn({ error: errorMessage(error) }, "nobody marked cancelled");
      return [];
    });
  }

  /** A control command or a new strategy was committed: do not wait for the next poll. */
  nudge(): void {
    this.#dependencies.queue.wake("shards");
    this.#scheduler.nudge();
    void this.#liveSync.look().catch((error: unknown) => {
      const { logger, watch } = this.#dependencies;
      if (watch.blames(error)) return;
      logger.warn({ error: errorMessage(error) }, "could not show a change at once");
    });
  }

  async #restore(): Promise<Omit<RecoveryReport, "durationMs">> {
    const { failpoint, store } = this.#dependencies;
    const heads = await store.shardHeads();
    const restored = await this.#shards.restore(heads);
    failpoint("boot.resumed");
    await this.#liveSync.look();
    await this.#adoptOrders();
    const openTicks = (await store.openTicks()).length;
    return { shards: heads.length, ...restored, openTicks };
  }

  async #onTick(claim: Claim): Promise<void> {
    const { store } = this.#dependencies;
    const tickId = textOf(claim.body, "tickId", `message ${claim.id}`);
    const found = await store.pendingTick(tickId);
    if (found === null) {
      await tellUnknownTick(this.#dependencies, claim, tickId);
      await store.dismiss(claim);
      return;
    }
    await this.directory.group(found.definition.id).due(claim, found);
  }

  async #onShard(claim: Claim): Promise<void> {
    const outcome = await this.#shards.work(claim);
    if (outcome.kind === "ticked") {
      const { definitionId, tickId } = outcome;
      const group = this.directory.group(definitionId);
      group.tell({ type: "SHARD_SETTLED", tickId, shardId: claim.key });
      if (!group.isClosing) this.#dependencies.failpoint("fanout.half-done");
    } else if (outcome.kind === "reconciled") {
      this.#scheduler.nudge();
    }
  }

  /** Tells the groups which ticks are open in the database, for those that other nodes worked on. */
  async #sweepTicks(): Promise<void> {
    const { store, watch } = this.#dependencies;
    if (watch.outage !== null) return;
    await this.#forgiveOutage();
    // Asked before the database is: a tick that is fanned out meanwhile must not be taken for closed.
    const fannedOut = this.directory.fannedOutTicks();
    const open = await store.openTicks();
    for (const tick of open) {
      this.directory.group(tick.definitionId).tell({ type: "TICK_OPEN", tick });
    }
    for (const { definitionId, id: tickId } of fannedOut) {
      if (open.some(({ id }) => id === tickId)) continue;
      this.directory.group(definitionId).tell({ type: "TICK_CLOSED", tickId });
    }
    await this.directory.settled();
  }

  /** While the database was away simulated time stood still, and with it every deadline. */
  async #forgiveOutage(): Promise<void> {
    const { clock, settings, store, watch } = this.#dependencies;
    const { recoveries } = watch;
    if (recoveries === this.#forgiven) return;
    if (clock.simulated) await store.renewDeadlines(settings.tickDeadlineMs);
    this.#forgiven = recoveries;
  }

  /**
   * Asks for orders that are out to be looked after, in mailbox order like all work on a shard: the node
   * that takes the message does, unless it does already. At a start, and should their node have died.
   */
  async #adoptOrders(): Promise<void> {
    const { live, queue } = this.#dependencies;
    const shards = new Set(
      live.all().flatMap(({ shardId, state }) => (state === "executing" ? [shardId] : [])),
    );
    const messages = [...shards].map((key) => ({ key, body: { kind: "adopt" } }));
    if (messages.length > 0) await queue.send("shards", messages);
  }

  async #maintain(): Promise<void> {
    const { settings, store } = this.#dependencies;
    await store.shortenDeadlines(settings.tickDeadlineMs);
    await store.maintain();
  }

  /** Repeats `chore` until the engine stops; a failure is logged and tried again. */
  async #every(ms: number, chore: () => Promise<void>): Promise<void> {
    const { logger, timer, watch } = this.#dependencies;
    while (!this.#stopping.signal.aborted) {
      await timer.after(ms, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      await chore().catch((error: unknown) => {
        if (watch.blames(error)) return;
        logger.warn({ error: errorMessage(error) }, "housekeeping failed, trying again");
      });
    }
  }
}
