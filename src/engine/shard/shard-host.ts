// The unit of ownership, work and failure: a fixed slice of a definition's members, their actors kept
// resident between messages and trusted only while the shard's version is the one this node last wrote.
import type { Definition } from "#domain/definition.ts";
import { DomainError, FencedError, InvariantError, errorMessage } from "#domain/errors.ts";
import type { TickInput } from "#domain/tick.ts";
import type { StrategyEvent } from "#machines/strategy.machine.ts";
import type { Member, MemberWrite, ShardCommit, ShardHead } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import { CannotClose, openClosing, type Stopping } from "#engine/strategy/closing.ts";
import { failCycle, openCycle, type CycleFrame } from "#engine/strategy/cycle.ts";
import type { ShardDependencies } from "#engine/dependencies.ts";
import { unseal } from "#engine/strategy/envelope.ts";
import { changeOf } from "#engine/live/live-view.ts";
import { Resident } from "#engine/strategy/resident.ts";
import { ShardBatch } from "./shard-batch.ts";
import { toCycleError, type Work } from "#engine/strategy/strategy-runtime.ts";

const NEVER_READ = -1;
/** How long quick decisions wait for slow ones; then what is decided is committed, again and again. */
const GRACE_MS = 250;

/** Which message a commit answers. */
interface Origin {
  claim: Claim | null;
  tickId: string | null;
}

export class ShardHost {
  readonly id: string;
  readonly definitionId: string;
  readonly #dependencies: ShardDependencies;
  readonly #residents = new Map<string, Resident>();
  #version = NEVER_READ;
  #rosterVersion = NEVER_READ;

  constructor(head: Pick<ShardHead, "id" | "definitionId">, dependencies: ShardDependencies) {
    this.id = head.id;
    this.definitionId = head.definitionId;
    this.#dependencies = dependencies;
  }

  /** The version this node read or last wrote; −1 when it holds nothing. */
  get version(): number {
    return this.#version;
  }

  get residents(): ReadonlyMap<string, Resident> {
    return this.#residents;
  }

  /** Brings memory to what the database holds: everything, the roster only, or nothing to do. */
  async synchronise(head: ShardHead): Promise<void> {
    if (head.version !== this.#version) {
      this.evict();
      await this.#readMembers();
      this.#version = head.version;
    } else if (head.rosterVersion !== this.#rosterVersion) {
      await this.#readMembers();
    }
    this.#rosterVersion = head.rosterVersion;
  }

  /** Has nobody else worked on it since this node did? */
  isUpTo({ version }: ShardHead): boolean {
    return this.#version === version || (this.#version === NEVER_READ && version === 0);
  }

  /** Forgets all actors; the next message restores them from their last commit. */
  evict(): void {
    for (const resident of this.#residents.values()) {
      this.#dependencies.runtime.abandon(resident.strategyId);
      resident.actor.stop();
    }
    this.#residents.clear();
    this.#version = NEVER_READ;
    this.#rosterVersion = NEVER_READ;
  }

  /** One tick for all members that want it, committed with the completion of its message. */
  async tick(claim: Claim, input: TickInput): Promise<void> {
    const { channels, clock, decisions, runtime } = this.#dependencies;
    const { scheduledFor, id: tickId } = input.tick;
    // Known to the node that analysed the tick. If not to this one, of another build, that is no
    // fault of the strategies: the message goes back for another node.
    channels.get(input.definition.tradeChannel);
    decisions.get(input.definition.decisionAgent);
    clock.observe(scheduledFor);
    const batch = new ShardBatch();
    for (const resident of this.#residents.values()) {
      if (!resident.isDue(scheduledFor)) continue;
      // The cycle's own commit makes a cancelled strategy `running` again.
      if (resident.value === "cancelled") resident.revive(runtime, "running");
      this.#beginTick(resident, input, batch);
    }
    await this.#commit(batch, { claim, tickId });
  }

  /** Reconciles one member with what its owner wants: a durable command, in mailbox order (I14). */
  async command(claim: Claim, strategyId: string, definition: Definition): Promise<void> {
    const batch = new ShardBatch();
    const resident = this.#residents.get(strategyId);
    if (resident === undefined) await this.#refuse(strategyId);
    else await this.#reconcile(resident, { definition, signal: claim.signal }, batch);
    this.#dependencies.failpoint("stop.before-commit");
    await this.#commit(batch, { claim, tickId: null });
    this.#dependencies.failpoint("stop.after-commit");
  }

  /** A command for a member that could not be restored, or that has left meanwhile. */
  async #refuse(strategyId: string): Promise<void> {
    const { store } = this.#dependencies;
    const members = await store.members(this.id);
    if (!members.some((member) => member.strategyId === strategyId)) return;
    await store.isolate(strategyId, "its stored snapshot cannot be restored");
  }

  /** Members that a shutdown left `cancelled` run again. Returns how many. */
  async resumeCancelled(claim: Claim | null): Promise<number> {
    return this.#changeAll({ value: "cancelled", claim }, (resident, batch) => {
      if (resident.wantsToRun) this.#resume(resident, batch);
    });
  }

  /** At shutdown: running members become `cancelled`, positions untouched (I9). Returns how many. */
  async cancel(reason: string): Promise<number> {
    return this.#changeAll({ value: "running", claim: null }, (resident, batch) => {
      const { context } = resident;
      const stop = { stopReason: "cancelled", stopReasonDetail: reason } as const;
      batch.add(resident, {
        write: resident.writeOf("cancelled", context, stop),
        context,
        event: { type: "CANCEL", reason },
      });
    });
  }

  async #changeAll(
    { value, claim }: { value: "running" | "cancelled"; claim: Claim | null },
    change: (resident: Resident, batch: ShardBatch) => void,
  ): Promise<number> {
    const batch = new ShardBatch();
    for (const resident of this.#residents.values()) {
      if (resident.value === value) change(resident, batch);
    }
    const changed = batch.size;
    if (changed > 0 || claim !== null) await this.#commit(batch, { claim, tickId: null });
    return changed;
  }

  async #readMembers(): Promise<void> {
    const { store } = this.#dependencies;
    const members = await store.members(this.id);
    const missing = members.filter(({ strategyId }) => !this.#residents.has(strategyId));
    const stored =
      missing.length === 0 ? [] : await store.actors(missing.map(({ strategyId }) => strategyId));
    const actors = new Map(stored.map((actor) => [actor.strategyId, actor]));
    for (const member of members) {
      const resident = this.#residents.get(member.strategyId);
      if (resident === undefined) await this.#restore(member, actors.get(member.strategyId));
      else resident.member = member;
    }
    const present = new Set(members.map(({ strategyId }) => strategyId));
    for (const [strategyId, resident] of this.#residents) {
      if (present.has(strategyId)) continue;
      resident.actor.stop();
      this.#residents.delete(strategyId);
    }
  }

  /** A snapshot that cannot be trusted stops its strategy and nobody else. */
  async #restore(
    member: Member,
    stored: Awaited<ReturnType<ShardDependencies["store"]["actors"]>>[number] | undefined,
  ): Promise<void> {
    const { logger, runtime, store } = this.#dependencies;
    const { strategyId } = member;
    const opened =
      stored === undefined
        ? ({ ok: false, reason: "missing", detail: "no stored snapshot" } as const)
        : unseal(stored.envelope, runtime.stored);
    if (opened.ok && stored !== undefined) {
      const resident = new Resident(member, { ...opened, seq: stored.seq }, runtime);
      this.#residents.set(strategyId, resident);
      return;
    }
    if (opened.ok || member.state === "stopped") return;
    const detail = `${opened.reason}: ${opened.detail}`;
    logger.error({ strategyId, detail }, "snapshot cannot be restored, strategy stopped");
    await store.isolate(strategyId, detail);
  }

  #beginTick(resident: Resident, input: TickInput, batch: ShardBatch): void {
    try {
      const { params, paramsVersion } = resident.member;
      this.#begin(resident, batch, {
        work: this.#tickWork(resident, input, batch),
        event: { type: "TICK", tick: input, params, paramsVersion },
      });
    } catch (error) {
      // Its money cannot even be valued: it stops alone, its siblings go on (I6).
      batch.fail(resident, `cannot open a cycle: ${errorMessage(error)}`);
    }
  }

  #begin(
    resident: Resident,
    batch: ShardBatch,
    { work, event }: { work: Work; event: StrategyEvent },
  ): void {
    this.#dependencies.runtime.begin(resident.actor, work, event);
    if (resident.hasFailed) this.#restart(resident, work.frame, batch);
  }

  #tickWork(resident: Resident, input: TickInput, batch: ShardBatch): Work {
    const { channels, decisions, settings, timer } = this.#dependencies;
    const { definition, tick, market, analysis } = input;
    const frame = openCycle({
      context: resident.context,
      definition,
      channel: channels.get(definition.tradeChannel),
      tick,
      cause: "tick",
      market,
      paramsVersion: resident.member.paramsVersion,
      startedAt: timer.elapsed(),
    });
    return {
      frame,
      agent: decisions.get(definition.decisionAgent),
      analysis,
      params: resident.parsedParams(definition, decisions),
      decisionTimeoutMs: settings.decisionTimeoutMs,
      settle: batch.expect(resident, frame),
    };
  }

  async #reconcile(
    resident: Resident,
    order: Omit<Stopping, "request">,
    batch: ShardBatch,
  ): Promise<void> {
    const { desiredStatus, state, stopRequest } = resident.member;
    const isHalted = state === "stopped" || resident.value === "cancelled";
    if (desiredStatus === "running") {
      if (isHalted) this.#resume(resident, batch);
    } else if (stopRequest !== null && state !== "stopped") {
      await this.#stop(resident, { request: stopRequest, ...order }, batch);
    }
  }

  #resume(resident: Resident, batch: ShardBatch): void {
    const context = { ...resident.context, stop: null };
    batch.add(resident, {
      write: resident.writeOf("running", context),
      context,
      event: { type: "RESUME" },
    });
  }

  async #stop(resident: Resident, stopping: Stopping, batch: ShardBatch): Promise<void> {
    const { runtime } = this.#dependencies;
    const { request } = stopping;
    if (resident.value === "cancelled") resident.revive(runtime, "running");
    const { context } = resident;
    const event = { type: "STOP", ...request } as const;
    if (request.closePositions && Object.keys(context.ledger.positions).length > 0) {
      await this.#close(resident, stopping, batch);
      return;
    }
    const stop = { stopReason: "normal_exit", stopReasonDetail: request.reason } as const;
    batch.add(resident, { write: resident.writeOf("stopped", context, stop), context, event });
  }

  /** A stop that waited for prices would hold up the shard: what cannot be closed is said instead. */
  async #close(resident: Resident, stopping: Stopping, batch: ShardBatch): Promise<void> {
    try {
      const { frame, error } = await openClosing(resident, stopping, this.#dependencies);
      if (error === null) {
        const event = { type: "STOP", ...stopping.request } as const;
        this.#begin(resident, batch, { work: closingWork(resident, frame, batch), event });
      } else {
        batch.record(resident, frame, failCycle(frame, error));
      }
    } catch (error) {
      if (!(error instanceof CannotClose)) throw error;
      batch.fail(resident, error.message, "error_closing_positions");
    }
  }

  /** The actor itself failed: a fresh one takes its place, standing at the last commit. */
  #restart(resident: Resident, frame: CycleFrame, batch: ShardBatch): void {
    const { logger, runtime, supervision, timer } = this.#dependencies;
    const error = resident.failure;
    const { strategyId } = resident;
    logger.error({ strategyId, error: errorMessage(error) }, "strategy actor failed, restored");
    resident.revive(runtime);
    if (supervision.spend(strategyId, timer.elapsed())) {
      batch.record(resident, frame, failCycle(frame, toCycleError(error)));
    } else {
      batch.fail(resident, `its actor failed too often: ${errorMessage(error)}`);
    }
  }

  async #commit(batch: ShardBatch, origin: Origin): Promise<void> {
    try {
      await this.#gather(batch, origin);
      const isInStep = await this.#write(batch, origin, { finish: true });
      if (!isInStep) this.evict();
    } catch (error) {
      if (error instanceof DomainError && error.code === "SHUTTING_DOWN") this.#rewind();
      // Whether it was written is for the database to say: memory goes, the next message reads.
      else this.evict();
      if (error instanceof FencedError) {
        this.#dependencies.logger.warn(
          { shardId: this.id, error: error.message },
          "not written: fenced",
        );
      }
      throw error;
    }
  }

  /** One transaction of what is decided. False when the database holds something else by now. */
  async #write(
    batch: ShardBatch,
    origin: Origin,
    { finish }: Pick<ShardCommit, "finish">,
  ): Promise<boolean> {
    const { journal, failpoint } = this.#dependencies;
    this.#restartFailed(batch);
    failpoint("journal.before-commit");
    const result = await journal.commit({
      ...origin,
      finish,
      shardId: this.id,
      version: this.#version,
      ...batch.take(),
      replace: (refused, error) => batch.replace(refused, error),
    });
    failpoint("journal.after-commit");
    this.#version = result.version;
    return this.#step(batch, result.stored);
  }

  /**
   * Waits for slow decisions. Siblings do not: what is decided is committed meanwhile, and other
   * shards get the slot. Whoever is asked to stop has his decision abandoned.
   * @throws FencedError when the tick was closed without this shard; the reason of an abort
   */
  async #gather(batch: ShardBatch, origin: Origin): Promise<void> {
    const { claim } = origin;
    const completed = batch.complete();
    while (!batch.isComplete) {
      await Promise.race([completed, this.#dependencies.timer.after(GRACE_MS, claim?.signal)]);
      claim?.signal.throwIfAborted();
      if (batch.isComplete) return;
      claim?.yieldSlot();
      await this.#abandonUnwanted(batch, origin);
      if (!batch.hasMore || (await this.#write(batch, origin, { finish: false }))) continue;
      throw new FencedError(`the database is ahead of what this node holds of shard ${this.id}`);
    }
  }

  async #abandonUnwanted(batch: ShardBatch, { tickId }: Origin): Promise<void> {
    const { runtime, store } = this.#dependencies;
    const head = await store.shardHead(this.id);
    if (head === null) return;
    if (tickId !== null && head.fannedTickId !== tickId) {
      throw new FencedError(`tick ${tickId} was closed without shard ${this.id}`);
    }
    if (head.rosterVersion === this.#rosterVersion) return;
    await this.#readMembers();
    this.#rosterVersion = head.rosterVersion;
    for (const resident of [...batch.waiting]) {
      if (!resident.wantsToRun) resident.revive(runtime);
    }
  }

  /** Actors that failed while they waited for an answer, as those that failed at once. */
  #restartFailed(batch: ShardBatch): void {
    for (const { resident, frame } of batch.empty) {
      if (!resident.hasFailed) continue;
      try {
        this.#restart(resident, frame, batch);
      } catch (error) {
        batch.fail(resident, `cannot record a cycle: ${errorMessage(error)}`);
      }
    }
  }

  /** Nothing was handed to the journal: every actor stands at its last commit again. */
  #rewind(): void {
    for (const resident of this.#residents.values()) {
      if (!resident.isInStep) resident.revive(this.#dependencies.runtime);
    }
  }

  /**
   * The commit is durable; now, and only now, the actors take it as their state (I5). False when the
   * database holds something else than what was handed to it: then memory is worth nothing.
   */
  #step(batch: ShardBatch, stored: readonly MemberWrite[]): boolean {
    const { committed, failpoint, runtime } = this.#dependencies;
    failpoint("actor.before-step");
    let isInStep = true;
    const changes = stored.flatMap((write) => {
      const entry = batch.entryOf(write.strategyId);
      if (entry === undefined) throw new InvariantError(`commit of unknown ${write.strategyId}`);
      if (entry.write !== write) {
        isInStep = false;
        return [];
      }
      const { context, event, resident } = entry;
      resident.take(write, context, event);
      if (!resident.isInStep) resident.revive(runtime);
      return [changeOf(write)];
    });
    failpoint("actor.after-step");
    committed({ shardId: this.id, version: this.#version, changes });
    return isInStep;
  }
}

function closingWork(resident: Resident, frame: CycleFrame, batch: ShardBatch): Work {
  return {
    frame,
    agent: null,
    analysis: {},
    params: { ok: true, value: null },
    decisionTimeoutMs: 0,
    settle: batch.expect(resident, frame),
  };
}
