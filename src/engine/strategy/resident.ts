import { createActor, transition, type ActorRefFrom, type SnapshotFrom } from "xstate";
import type { Definition } from "#domain/definition.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { StoredMachine } from "#machines/registry.ts";
import {
  isClosing,
  isPhase,
  type CheckedParams,
  type StrategyContext,
  type StrategyEvent,
  type strategyMachine,
} from "#machines/strategy.machine.ts";
import type { Member, MemberWrite } from "#ports/store.ts";
import type { Decisions } from "#engine/dependencies.ts";
import { checkParams } from "./cycle.ts";
import { seal } from "./envelope.ts";
import type { Proposal } from "./turn.ts";

export type StrategyMachine = typeof strategyMachine;
export type StrategyActor = ActorRefFrom<StrategyMachine>;
export type StrategySnapshot = SnapshotFrom<StrategyMachine>;

/** One machine with its effects, shared by all actors, and how its snapshots are stored. */
export interface StrategyLogic {
  machine: StrategyMachine;
  stored: StoredMachine;
}

/** One member of a shard in memory: its live actor and the commit that actor stands on. */
export class Resident {
  readonly strategyId: string;
  member: Member;
  actor: StrategyActor;
  readonly #logic: StrategyLogic;
  #stored: StrategySnapshot;
  #seq: number;
  #isOver = false;
  #params: { version: number; agent: string; checked: CheckedParams } | undefined;

  constructor(
    member: Member,
    stored: { value: StrategyState; context: StrategyContext; seq: number },
    logic: StrategyLogic,
  ) {
    this.strategyId = member.strategyId;
    this.member = member;
    this.#logic = logic;
    const { value, context } = stored;
    this.#stored = logic.machine.resolveState({ value, context });
    this.#seq = stored.seq;
    this.actor = this.#restored();
  }

  /** Committed state. */
  get value(): StrategyState {
    return this.#stored.value;
  }

  /** Committed context. */
  get context(): StrategyContext {
    return this.#stored.context;
  }

  get seq(): number {
    return this.#seq;
  }

  get hasFailed(): boolean {
    return this.actor.getSnapshot().status === "error";
  }

  get failure(): unknown {
    return this.actor.getSnapshot().error;
  }

  /** Null once its shard has let go of it. */
  get liveActor(): StrategyActor | null {
    return this.#isOver ? null : this.actor;
  }

  /** Its shard has let go of it. */
  end(): void {
    this.#isOver = true;
    this.actor.stop();
  }

  /** Where the actor is, committed or not. */
  get phase(): StrategyState {
    return this.actor.getSnapshot().value;
  }

  /** Stopped by its owner, by an error, or about to be: nothing new may begin. */
  get wantsToRun(): boolean {
    return this.member.desiredStatus === "running" && this.member.state !== "stopped";
  }

  /** Is it to have ticks? Also while a stop of its is still closing what it holds. */
  get wantsTicks(): boolean {
    return this.wantsToRun || isClosing(this.context);
  }

  /** Validated once per version and agent: an edit takes effect at the next tick. */
  checkedParams({ decisionAgent: agent }: Definition, decisions: Decisions): CheckedParams {
    const { params, paramsVersion: version } = this.member;
    if (this.#params?.version !== version || this.#params.agent !== agent) {
      const checked = checkParams(() => decisions.parseParams(agent, params));
      this.#params = { version, agent, checked };
    }
    return this.#params.checked;
  }

  /** What the machine makes of `event`, without any effect; null when it does not answer to it. */
  after(event: StrategyEvent): StrategySnapshot | null {
    const snapshot = this.actor.getSnapshot();
    if (snapshot.status !== "active") return null;
    const [next] = transition(this.#logic.machine, snapshot, event);
    return next.value === snapshot.value && next.context === snapshot.context ? null : next;
  }

  /** The write that stores `next`. */
  writeOf(next: StrategySnapshot): Pick<MemberWrite, "strategyId" | "state" | "envelope" | "seq"> {
    const { strategyId } = this;
    const envelope = seal(next, this.#logic.stored);
    return { strategyId, state: next.value, envelope, seq: this.#seq + 1 };
  }

  /** Its commit is durable: now, and only now, the actor takes it as its state (I5). */
  take({ event, next, write }: Proposal): void {
    this.#seq = write.seq;
    this.#stored = next;
    this.member = { ...this.member, state: write.state };
    this.actor.send(event);
    // One copy instead of two equal ones.
    if (this.isInStep && !isPhase(next)) this.#stored = this.actor.getSnapshot();
  }

  /** Does the actor stand where the last commit is? */
  get isInStep(): boolean {
    const { status, value } = this.actor.getSnapshot();
    return status === "active" && value === this.#stored.value;
  }

  /** A fresh actor at the last commit. */
  revive(): void {
    this.actor.stop();
    this.actor = this.#restored();
  }

  #restored(): StrategyActor {
    const { machine } = this.#logic;
    const snapshot = this.#stored;
    const actor = createActor(machine, { snapshot, input: snapshot.context });
    // Its host looks at the actor's status when its work has ended; without an observer XState
    // would throw the error into the process.
    actor.subscribe({ error: () => undefined });
    actor.start();
    if (isPhase(snapshot)) actor.send({ type: "RESTORED" });
    return actor;
  }
}
