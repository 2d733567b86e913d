// The unit of ownership, work and failure: a fixed slice of a definition's members, their actors kept
// resident between messages and trusted only while the shard's version is the one this node last wrote.
import type { Definition } from "#domain/definition.ts";
import { DomainError, FencedError, InvariantError, errorMessage } from "#domain/errors.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { TickInput } from "#domain/tick.ts";
import type { ShardDependencies } from "#engine/dependencies.ts";
import { changeOf } from "#engine/live/live-view.ts";
import { failCycle, toCycleError } from "#engine/strategy/cycle.ts";
import { unseal } from "#engine/strategy/envelope.ts";
import { Resident } from "#engine/strategy/resident.ts";
import { StrategyTurn } from "#engine/strategy/turn.ts";
import { isPhase } from "#machines/strategy.machine.ts";
import type { Member, MemberWrite, ShardHead } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import { Turns } from "./turns.ts";
import type { PhaseUnderWay } from "./shard-runner.ts";

const NEVER_READ = -1;
/** How long quick decisions wait for slow ones; then what is decided is committed, again and again. */
const GRACE_MS = 250;
const NEVER_ABORTED = new AbortController().signal;

/** Which message a commit answers. */
interface Origin {
  claim: Claim | null;
  tickId: string | null;
  /** Null where no strategy can begin anything. */
  definition: Definition | null;
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
    this.#dependencies.orders.forget(this.id);
    for (const resident of this.#residents.values()) resident.end();
    this.#residents.clear();
    this.#version = NEVER_READ;
    this.#rosterVersion = NEVER_READ;
  }

  /** One tick for all members that want it, committed with the completion of its message. */
  async tick(claim: Claim, input: TickInput): Promise<void> {
    const { channels, clock, decisions } = this.#dependencies;
    const { definition } = input;
    // Known to the node that analysed the tick. If not to this one, of another build, that is no
    // fault of the strategies: the message goes back for another node.
    channels.get(definition.tradeChannel);
    decisions.get(definition.decisionAgent);
    clock.observe(input.tick.scheduledFor);
    const origin = { claim, tickId: input.tick.id, definition };
    await this.#work(origin, (turns) => {
      for (const resident of this.#residents.values()) {
        if (!resident.wantsToRun) continue;
        const params = resident.checkedParams(definition, decisions);
        const { paramsVersion } = resident.member;
        const turn = turns.begin(resident);
        resident.actor.send({ type: "TICK", tick: input, params, paramsVersion, turn });
      }
    });
  }

  /** Reconciles one member with what its owner wants: a durable command, in mailbox order (I14). */
  async command(claim: Claim, strategyId: string, definition: Definition): Promise<void> {
    const { failpoint } = this.#dependencies;
    const resident = this.#residents.get(strategyId);
    if (resident === undefined) await this.#refuse(strategyId);
    await this.#workOn(resident, { claim, tickId: null, definition }, (member, turns) => {
      reconcile(member, turns);
      failpoint("stop.before-commit");
    });
    failpoint("stop.after-commit");
  }

  /** What a venue told of one member's orders. */
  async report(
    claim: Claim,
    told: { strategyId: string; reports: OrderReport[] },
    definition: Definition,
  ): Promise<void> {
    const { failpoint } = this.#dependencies;
    const resident = this.#residents.get(told.strategyId);
    failpoint("orders.before-booking");
    await this.#workOn(resident, { claim, tickId: null, definition }, (member, turns) => {
      const turn = turns.begin(member);
      member.actor.send({ type: "REPORTED", reports: told.reports, turn });
    });
    failpoint("orders.after-booking");
  }

  /** Makes this node the one that looks after the shard's orders that are out; false: it is already. */
  async adoptOrders(claim: Claim, definition: Definition): Promise<boolean> {
    if (!this.#hasStrayOrders) return false;
    await this.#work({ claim, tickId: null, definition }, () => undefined);
    return true;
  }

  /** Members that a shutdown left `cancelled` run again. Returns how many. */
  resumeCancelled(claim: Claim | null): Promise<number> {
    return this.#changeAll(claim, (resident, turns) => {
      if (resident.value !== "cancelled" || !resident.wantsToRun) return;
      turns.begin(resident).offer({ type: "RESUME" });
    });
  }

  /** At shutdown: running members become `cancelled`, positions untouched (I9). Returns how many. */
  cancel(reason: string): Promise<number> {
    return this.#changeAll(null, (resident, turns) => {
      turns.begin(resident).offer({ type: "CANCEL", reason });
    });
  }

  async #changeAll(
    claim: Claim | null,
    change: (resident: Resident, turns: Turns) => void,
  ): Promise<number> {
    const turns = this.#turnsOf({ claim, tickId: null, definition: null });
    for (const resident of this.#residents.values()) change(resident, turns);
    const { changes } = turns;
    if (changes > 0 || claim !== null) {
      await this.#commit(turns, { claim, tickId: null, definition: null });
    }
    return changes;
  }

  /** A command for a member that could not be restored, or that has left meanwhile. */
  async #refuse(strategyId: string): Promise<void> {
    const { store } = this.#dependencies;
    const members = await store.members(this.id);
    if (!members.some((member) => member.strategyId === strategyId)) return;
    await store.isolate(strategyId, "its stored snapshot cannot be restored");
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
      resident.end();
      this.#residents.delete(strategyId);
    }
  }

  /** A snapshot that cannot be trusted stops its strategy and nobody else. */
  async #restore(
    member: Member,
    stored: Awaited<ReturnType<ShardDependencies["store"]["actors"]>>[number] | undefined,
  ): Promise<void> {
    const { logger, logic, store } = this.#dependencies;
    const { strategyId } = member;
    const opened =
      stored === undefined
        ? ({ ok: false, reason: "missing", detail: "no stored snapshot" } as const)
        : unseal(stored.envelope, logic.stored);
    if (opened.ok && stored !== undefined) {
      const resident = new Resident(member, { ...opened, seq: stored.seq }, logic);
      this.#residents.set(strategyId, resident);
      return;
    }
    if (opened.ok || member.state === "stopped") return;
    const detail = `${opened.reason}: ${opened.detail}`;
    logger.error({ strategyId, detail }, "snapshot cannot be restored, strategy stopped");
    await store.isolate(strategyId, detail);
  }

  #turnsOf({ claim, definition }: Origin): Turns {
    const signal = claim?.signal ?? NEVER_ABORTED;
    return new Turns({ shardId: this.id, definition, signal });
  }

  /** Begins the members' turns and commits what comes of them. */
  async #work(origin: Origin, begin: (turns: Turns) => void): Promise<void> {
    const turns = this.#turnsOf(origin);
    begin(turns);
    await this.#commit(turns, origin);
  }

  /** As `#work` for one member: a message that changes nothing is done without moving the version. */
  async #workOn(
    resident: Resident | undefined,
    origin: Origin & { claim: Claim },
    begin: (resident: Resident, turns: Turns) => void,
  ): Promise<void> {
    const turns = this.#turnsOf(origin);
    if (resident !== undefined) {
      begin(resident, turns);
      const isIdle = turns.isComplete && !turns.hasMore && !resident.hasFailed;
      if (isIdle) return this.#dependencies.store.dismiss(origin.claim);
    }
    await this.#commit(turns, origin);
  }

  /** Commits until nothing of the message is left; the last commit completes it. */
  async #commit(turns: Turns, origin: Origin): Promise<void> {
    const shown = new Set<string>();
    try {
      let isInStep = true;
      for (let isDone = false; !isDone && isInStep;) {
        await this.#gather(turns, origin, shown);
        ({ isDone, isInStep } = await this.#write(turns, origin));
      }
      if (!isInStep) this.evict();
      else this.#lookAfterOrders(origin);
    } catch (error) {
      if (error instanceof DomainError && error.code === "SHUTTING_DOWN") this.#rewind();
      // Whether it was written is for the database to say: memory goes, the next message reads.
      else this.evict();
      if (error instanceof FencedError) {
        const detail = { shardId: this.id, error: error.message };
        this.#dependencies.logger.warn(detail, "not written: fenced");
      }
      throw error;
    } finally {
      this.#show([...shown].map((strategyId) => ({ strategyId, phase: null })));
    }
  }

  /** One transaction of what there is. `isInStep` false: the database holds something else by now. */
  async #write(turns: Turns, origin: Origin): Promise<{ isDone: boolean; isInStep: boolean }> {
    const { failpoint, journal } = this.#dependencies;
    this.#restartFailed(turns);
    const { claim, tickId } = origin;
    const { alerts, intends, leadsOn, writes } = turns.take();
    const finish = turns.isComplete && !leadsOn;
    if (intends) failpoint("orders.before-intent");
    failpoint("journal.before-commit");
    const result = await journal.commit({
      claim,
      tickId,
      finish,
      shardId: this.id,
      version: this.#version,
      writes,
      alerts,
      replace: (refused, error) => turns.replace(refused, error),
    });
    failpoint("journal.after-commit");
    if (intends) failpoint("orders.after-intent");
    this.#version = result.version;
    return { isDone: finish, isInStep: this.#step(turns, result.stored) };
  }

  /**
   * Waits for slow decisions. Siblings do not: what is decided is committed meanwhile, and other
   * shards get the slot. Whoever is asked to stop hears of it at once.
   * @throws FencedError when the tick was closed without this shard; the reason of an abort
   */
  async #gather(turns: Turns, origin: Origin, shown: Set<string>): Promise<void> {
    const { claim } = origin;
    const { timer } = this.#dependencies;
    while (!turns.isComplete) {
      const grace = timer.after(GRACE_MS, claim?.signal).then(() => true);
      const isLong = await this.#untilComplete(turns, grace);
      claim?.signal.throwIfAborted();
      if (!isLong) return;
      claim?.yieldSlot();
      this.#showWaiting(turns, shown);
      await this.#hearOfStops(turns, origin);
      if (!turns.hasMore || turns.isComplete) continue;
      const { isInStep } = await this.#write(turns, origin);
      if (isInStep) continue;
      throw new FencedError(`the database is ahead of what this node holds of shard ${this.id}`);
    }
  }

  /** False when all turns are complete before the grace is over. */
  async #untilComplete(turns: Turns, grace: Promise<boolean>): Promise<boolean> {
    while (!turns.isComplete) {
      const isOver = await Promise.race([turns.news().then(() => false), grace]);
      if (isOver) return true;
    }
    return false;
  }

  /** The wish of an owner reaches an actor at work without waiting for its message's turn. */
  async #hearOfStops(turns: Turns, { tickId }: Origin): Promise<void> {
    const { store } = this.#dependencies;
    const head = await store.shardHead(this.id);
    if (head === null) return;
    if (tickId !== null && head.fannedTickId !== tickId) {
      throw new FencedError(`tick ${tickId} was closed without shard ${this.id}`);
    }
    if (head.rosterVersion === this.#rosterVersion) return;
    await this.#readMembers();
    this.#rosterVersion = head.rosterVersion;
    for (const { resident } of turns.waiting) {
      if (resident.wantsToRun) continue;
      reconcile(resident, turns);
    }
  }

  #showWaiting(turns: Turns, shown: Set<string>): void {
    const phases = turns.waiting.map(({ resident: { phase, strategyId } }): PhaseUnderWay => ({
      strategyId,
      phase: phase === "composing" || phase === "executing" ? phase : null,
    }));
    for (const { strategyId } of phases) shown.add(strategyId);
    this.#show(phases);
  }

  #show(phases: readonly PhaseUnderWay[]): void {
    if (phases.length > 0) this.#dependencies.phases(phases);
  }

  /** Actors that failed: a fresh one takes the place of each at the last commit, and its group hears. */
  #restartFailed(turns: Turns): void {
    for (const turn of turns.failed) this.#restart(turn);
  }

  #restart(turn: StrategyTurn): void {
    const { logger, supervisor } = this.#dependencies;
    const { cycle, resident, strategyId } = turn;
    const { failure } = resident;
    const error = errorMessage(failure);
    logger.error({ strategyId, error }, "strategy actor failed, restored");
    resident.revive();
    if (cycle === null || cycle.cause === "stop") turn.fail(`its actor failed: ${error}`);
    else turn.record(failCycle(cycle, toCycleError(failure)));
    const { definitionId, id: shardId } = this;
    supervisor.strategyFailed({ definitionId, shardId, strategyId, error });
  }

  /** Nothing was handed to the journal: every actor stands at its last commit again. */
  #rewind(): void {
    for (const resident of this.#residents.values()) {
      if (!resident.isInStep) resident.revive();
    }
  }

  /**
   * The commit is durable; now, and only now, the actors take it as their state (I5). False when the
   * database holds something else than what was handed to it: then memory is worth nothing.
   */
  #step(turns: Turns, stored: readonly MemberWrite[]): boolean {
    const { committed, failpoint } = this.#dependencies;
    failpoint("actor.before-step");
    let isInStep = true;
    const changes = stored.flatMap((write) => {
      const taken = turns.proposalOf(write.strategyId);
      if (taken === undefined) throw new InvariantError(`commit of unknown ${write.strategyId}`);
      const { proposal, turn } = taken;
      if (proposal.write !== write) {
        isInStep = false;
        return [];
      }
      turn.resident.take(proposal);
      if (turn.resident.hasFailed) turn.resident.revive();
      return [changeOf(write)];
    });
    failpoint("actor.after-step");
    committed({ shardId: this.id, version: this.#version, changes });
    return isInStep;
  }

  get #hasStrayOrders(): boolean {
    return [...this.#residents.values()].some((resident) => this.#isStray(resident));
  }

  /** Has it orders out that nobody looks after in this thread? */
  #isStray({ context: { pending } }: Resident): boolean {
    return pending !== null && !this.#dependencies.orders.watches(pending);
  }

  /** Having committed, this node is the shard's holder: orders of an earlier one are its own now. */
  #lookAfterOrders({ definition }: Origin): void {
    if (definition === null) return;
    for (const resident of this.#residents.values()) {
      if (!this.#isStray(resident)) continue;
      const origin = { shardId: this.id, definition, signal: NEVER_ABORTED };
      const turn = new StrategyTurn({ ...origin, resident, onNews: () => undefined });
      resident.actor.send({ type: "RECOVER", turn });
    }
  }
}

/** Tells an actor what its owner wants; whether that changes anything is for the machine to say. */
function reconcile(resident: Resident, turns: Turns): void {
  const { desiredStatus, state, stopRequest } = resident.member;
  if (desiredStatus === "running") {
    turns.begin(resident).offer({ type: "RESUME" });
  } else if (stopRequest?.cause === "error" && state !== "stopped") {
    turns.begin(resident).fail(stopRequest.reason);
  } else if (stopRequest !== null && state !== "stopped") {
    const turn = turns.begin(resident);
    turn.offer({ type: "STOP", ...stopRequest, turn });
  } else if (isPhase(resident.actor.getSnapshot())) {
    // Stopped in the database by somebody else: what it is at is worth nothing.
    turns.begin(resident);
    resident.revive();
  }
}
