import type { Definition } from "#domain/definition.ts";
import type { StopReason, StrategyState } from "#domain/strategy.ts";
import type { StrategyContext, StrategyEvent } from "#machines/strategy.machine.ts";
import type { Member, MemberWrite } from "#ports/store.ts";
import type { Decisions } from "#engine/dependencies.ts";
import { seal } from "./envelope.ts";
import {
  toCycleError,
  type StrategyActor,
  type StrategyRuntime,
  type Work,
} from "./strategy-runtime.ts";

/** One member of a shard in memory: its live actor and the commit that actor stands on. */
export class Resident {
  readonly strategyId: string;
  member: Member;
  actor: StrategyActor;
  readonly #stored: StrategyRuntime["stored"];
  #value: StrategyState;
  #context: StrategyContext;
  #seq: number;
  #params: { version: number; agent: string; parsed: Work["params"] } | undefined;

  constructor(
    member: Member,
    stored: { value: StrategyState; context: StrategyContext; seq: number },
    runtime: StrategyRuntime,
  ) {
    this.strategyId = member.strategyId;
    this.member = member;
    this.#stored = runtime.stored;
    this.#value = standing(stored);
    this.#context = stored.context;
    this.#seq = stored.seq;
    this.actor = runtime.restore(this.#value, stored.context);
  }

  /** Committed state. */
  get value(): StrategyState {
    return this.#value;
  }

  /** Committed context. */
  get context(): StrategyContext {
    return this.#context;
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

  /** Stopped by its owner, by an error, or about to be: nothing new may begin. */
  get wantsToRun(): boolean {
    return this.member.desiredStatus === "running" && this.member.state !== "stopped";
  }

  isDue(scheduledFor: number): boolean {
    const { lastTickFor } = this.#context;
    return (
      this.wantsToRun &&
      (this.#value === "running" || this.#value === "cancelled") &&
      (lastTickFor === null || lastTickFor < scheduledFor)
    );
  }

  /** Validated once per version and agent: an edit takes effect at the next tick. */
  parsedParams({ decisionAgent: agent }: Definition, decisions: Decisions): Work["params"] {
    const { params, paramsVersion: version } = this.member;
    if (this.#params?.version !== version || this.#params.agent !== agent) {
      const parsed = parse(() => decisions.parseParams(agent, params));
      this.#params = { version, agent, parsed };
    }
    return this.#params.parsed;
  }

  /** The write that moves this strategy to `state` with `context`. */
  writeOf(
    state: StrategyState,
    context: StrategyContext,
    stop: { stopReason: StopReason | null; stopReasonDetail: string | null } = {
      stopReason: null,
      stopReasonDetail: null,
    },
  ): MemberWrite {
    return {
      strategyId: this.strategyId,
      state,
      ...stop,
      envelope: seal(state, context, this.#stored),
      seq: this.#seq + 1,
      cycle: null,
    };
  }

  /** Takes what was committed as its state and tells the actor. */
  take(write: MemberWrite, context: StrategyContext, event: StrategyEvent): void {
    this.#value = write.state;
    this.#context = context;
    this.#seq = write.seq;
    this.member = { ...this.member, state: write.state };
    this.actor.send(event);
  }

  /** Does the actor stand where the last commit is? */
  get isInStep(): boolean {
    const snapshot = this.actor.getSnapshot();
    return snapshot.status === "active" && snapshot.value === this.#value;
  }

  /** A fresh actor at the last commit; `as` runs a cancelled one on before that is committed. */
  revive(runtime: StrategyRuntime, as: StrategyState = this.#value): void {
    runtime.abandon(this.strategyId);
    this.actor.stop();
    this.actor = runtime.restore(as, this.#context);
  }
}

/** A cycle that was under way without orders out never happened: its strategy stands before it. */
function standing({ value, context }: { value: StrategyState; context: StrategyContext }) {
  const isUnderWay = value === "composing" || value === "executing";
  return isUnderWay && context.pending === null ? "running" : value;
}

function parse(read: () => unknown): Work["params"] {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    return { ok: false, error: toCycleError(error) };
  }
}
