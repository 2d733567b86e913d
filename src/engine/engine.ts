// The engine as a whole: takes messages from the queue to the actors, closes ticks, starts and stops.
import { errorMessage, InvariantError } from "#domain/errors.ts";
import type { ShardHead, Tick } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import { tickAlert } from "./group/tick-alert.ts";
import { Directory } from "./directory.ts";
import type { EngineDependencies, EnginePorts } from "./dependencies.ts";
import { LiveStore } from "./live/live-store.ts";
import { LiveSync } from "./live/live-sync.ts";
import { reconcileControls } from "./reconcile.ts";
import { Scheduler } from "./scheduler.ts";
import { LocalShards } from "./shard/local-shards.ts";
import type { ShardListener, ShardRunner } from "./shard/shard-runner.ts";
import { TickInputs } from "./group/tick-inputs.ts";

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
  #housekeeping: Promise<unknown> | null = null;
  /** Outages whose time was given back to open ticks. */
  #forgiven = 0;

  constructor(ports: EnginePorts) {
    this.#dependencies = { ...ports, live: this.live };
    const inputs = new TickInputs(ports.store);
    const listener: ShardListener = {
      committed: ({ changes }) => this.live.changed(changes),
      phases: (phases) => this.live.phases(phases),
    };
    const local = new LocalShards({ ...ports, outbox: ports.queue }, inputs, listener);
    this.#shards = ports.threads?.(listener) ?? local;
    this.directory = new Directory(this.#dependencies, inputs, local);
    this.#liveSync = new LiveSync(this.#dependencies, this.#shards);
    this.#scheduler = new Scheduler(this.#dependencies, (scheduled) => {
      for (const { definition } of scheduled) {
        this.directory
          .group(definition.id)
          .tell({ type: definition.isActive ? "RESUME" : "PAUSE" });
      }
    });
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
    await this.#closeOpenTicks();
    queue.run("ticks", 2, (claim) => this.#onTick(claim));
    queue.run("shards", settings.shardSlots, (claim) => this.#onShard(claim));
    this.#scheduler.start();
    this.#housekeeping = Promise.all([
      this.#every(SWEEP_MS, () => this.#closeOpenTicks()),
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
    failpoint("shutdown.drained");
    await this.#shards.cancel(await this.#headsAtTheEnd(), reason);
    await this.#shards.close();
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
    const { queue, store } = this.#dependencies;
    const found = await store.pendingTick(textOf(claim, "tickId"));
    if (found === null) {
      await store.dismiss(claim);
      return;
    }
    const group = this.directory.group(found.definition.id);
    const shardIds = await group.run(claim, found.tick, found.definition);
    if (shardIds.length > 0) queue.wake("shards");
    else this.#scheduler.nudge();
  }

  async #onShard(claim: Claim): Promise<void> {
    const outcome = await this.#shards.work(claim);
    if (outcome.kind === "ticked") {
      await this.#onSettled(outcome.definitionId, outcome.tickId, claim.key);
    } else if (outcome.kind === "reconciled") {
      this.#scheduler.nudge();
    }
  }

  /** Closes the tick at once when the last shard was ours; the sweep sees to all other cases. */
  async #onSettled(definitionId: string, tickId: string, shardId: string): Promise<void> {
    const group = this.directory.group(definitionId);
    const isLast = group.settled(tickId, shardId);
    if (isLast && this.#dependencies.watch.outage === null) await this.#close(definitionId, tickId);
    else this.#dependencies.failpoint("fanout.half-done");
  }

  async #close(definitionId: string, tickId: string): Promise<void> {
    const { logger, failpoint, store } = this.#dependencies;
    failpoint("tick.before-close");
    const status = await store.closeTick(tickId);
    failpoint("tick.after-close");
    if (status === "running" || status === "pending") return;
    if (status === "timed_out") {
      logger.error({ tickId }, "tick closed at its deadline");
      const message = "a tick was closed at its deadline; some strategies have no cycle for it";
      await store.raiseAlert(tickAlert("tick_timed_out", message, { definitionId, tickId }));
    }
    this.directory.group(definitionId).tell({ type: "TICK_CLOSED", tickId });
    this.#scheduler.nudge();
  }

  async #closeOpenTicks(): Promise<void> {
    if (this.#dependencies.watch.outage !== null) return;
    await this.#forgiveOutage();
    for (const tick of await this.#dependencies.store.openTicks()) {
      if (tick.status === "running") await this.#close(tick.definitionId, tick.id);
      else await this.#giveUp(tick);
    }
  }

  /** While the database was away simulated time stood still, and with it every deadline. */
  async #forgiveOutage(): Promise<void> {
    const { clock, settings, store, watch } = this.#dependencies;
    const { recoveries } = watch;
    if (recoveries === this.#forgiven) return;
    if (clock.simulated) await store.renewDeadlines(settings.tickDeadlineMs);
    this.#forgiven = recoveries;
  }

  async #giveUp({ definitionId, id: tickId }: Tick): Promise<void> {
    const { logger, settings, store } = this.#dependencies;
    if (!(await store.giveUpAnalysis(tickId, settings.tickDeadlineMs))) return;
    const message = "a tick was given up: it could not be analysed in time";
    logger.error({ tickId }, message);
    await store.raiseAlert(tickAlert("tick_failed", message, { definitionId, tickId }));
    this.#scheduler.nudge();
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

function textOf(claim: Claim, field: string): string {
  const value = claim.body[field];
  if (typeof value === "string") return value;
  throw new InvariantError(`message ${claim.id} has no ${field}`);
}
