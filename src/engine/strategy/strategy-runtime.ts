import { createActor, type ActorRefFrom } from "xstate";
import { errorMessage, InvariantError } from "#domain/errors.ts";
import type { Analysis } from "#domain/analysis.ts";
import type { Decision } from "#domain/decision.ts";
import type { StrategyState } from "#domain/strategy.ts";
import { storedMachines, type StoredMachine } from "#machines/registry.ts";
import {
  strategyMachine,
  type StrategyContext,
  type StrategyEvent,
} from "#machines/strategy.machine.ts";
import type { Timer } from "#ports/clock.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import {
  decisionInput,
  executeClosing,
  executeDecision,
  executeFailure,
  failCycle,
  type CycleError,
  type CycleFrame,
  type CycleOutcome,
} from "./cycle.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import { checkDecision } from "./decision-check.ts";

export type StrategyActor = ActorRefFrom<typeof strategyMachine>;

/** One strategy's work on one message: opened by its shard host, carried out by its actor. */
export interface Work {
  frame: CycleFrame;
  /** Null where nothing is decided: a closing stop. */
  agent: DecisionAgent | null;
  analysis: Analysis;
  /** Params as the decision agent's schema parsed them, or why it refused them. */
  params: { ok: true; value: unknown } | { ok: false; error: CycleError };
  decisionTimeoutMs: number;
  /** Called once, with the outcome, or with null when the work was abandoned. */
  settle(outcome: CycleOutcome | null): void;
}

/**
 * Gives the strategy machine its effects. One provided machine is shared by all actors; what an actor
 * is working on is looked up by its strategy id.
 */
export class StrategyRuntime {
  readonly #work = new Map<string, Work>();
  readonly #timer: Timer;
  readonly #failpoint: OnFailpoint;
  readonly #machine;

  /** How the actors' states are stored. */
  readonly stored: StoredMachine;

  constructor(dependencies: { timer: Timer; failpoint: OnFailpoint; stored?: StoredMachine }) {
    this.stored = dependencies.stored ?? storedMachines.strategy;
    this.#timer = dependencies.timer;
    this.#failpoint = dependencies.failpoint;
    this.#machine = strategyMachine.provide({
      actions: {
        beginDecision: ({ context, self }) => this.#decide(context.strategyId, self),
        beginExecution: ({ context, event }) => {
          if (event.type === "DECIDED") this.#execute(context.strategyId, event.decision);
        },
        beginFailure: ({ context, event }) => {
          if (event.type === "DECISION_FAILED") this.#fail(context.strategyId, event.error);
        },
        beginClosing: ({ context }) => this.#close(context.strategyId),
      },
    });
  }

  /** An actor standing exactly where its last commit left it. */
  restore(value: StrategyState, context: StrategyContext): StrategyActor {
    const actor = createActor(this.#machine, {
      snapshot: this.#machine.resolveState({ value, context }),
      input: context,
    });
    // Its host looks at the actor's status when its work has ended; without an observer XState
    // would throw the error into the process.
    actor.subscribe({ error: () => this.abandon(context.strategyId) });
    return actor.start();
  }

  /** Hands `event` to the actor with the work it is about. */
  begin(actor: StrategyActor, work: Work, event: StrategyEvent): void {
    const strategyId = work.frame.context.strategyId;
    this.#work.set(strategyId, work);
    actor.send(event);
    if (actor.getSnapshot().status === "error") this.abandon(strategyId);
  }

  /** Drops work whose outcome nobody may use any more: a later answer finds nothing. */
  abandon(strategyId: string): void {
    this.#finish(strategyId, null);
  }

  #decide(strategyId: string, self: { send(event: StrategyEvent): void }): void {
    const work = this.#work.get(strategyId);
    if (work === undefined) return;
    const { agent, params, frame } = work;
    if (!params.ok) {
      self.send({ type: "DECISION_FAILED", error: params.error });
      return;
    }
    this.#failpoint("decision.before");
    const decided = attempt(() => {
      if (agent === null) throw new InvariantError("a decision without a decision agent");
      return agent.decide(decisionInput(frame, work.analysis, params.value));
    });
    if (!decided.ok) {
      self.send({ type: "DECISION_FAILED", error: decided.error });
    } else if (decided.value instanceof Promise) {
      this.#awaitDecision(work, decided.value, self).catch((error: unknown) =>
        this.#finishIfCurrent(strategyId, work, failCycle(frame, toCycleError(error))),
      );
    } else {
      this.#failpoint("decision.after");
      self.send({ type: "DECIDED", decision: decided.value });
    }
  }

  async #awaitDecision(
    work: Work,
    decision: Promise<Decision>,
    self: { send(event: StrategyEvent): void },
  ): Promise<void> {
    const finished = new AbortController();
    const late = this.#timer.after(work.decisionTimeoutMs, finished.signal).then((): Settled => ({
      ok: false,
      error: {
        code: "PORT_TIMEOUT",
        message: `no decision within ${work.decisionTimeoutMs} ms`,
      },
    }));
    const answer = decision.then(
      (value): Settled => ({ ok: true, value }),
      (error: unknown): Settled => ({ ok: false, error: toCycleError(error) }),
    );
    const settled = await Promise.race([answer, late]);
    finished.abort();
    if (this.#work.get(work.frame.context.strategyId) !== work) return;
    this.#failpoint("decision.after");
    self.send(
      settled.ok
        ? { type: "DECIDED", decision: settled.value }
        : { type: "DECISION_FAILED", error: settled.error },
    );
  }

  #execute(strategyId: string, decision: Decision): void {
    const work = this.#work.get(strategyId);
    if (work === undefined) return;
    this.#run(strategyId, work, () => executeDecision(work.frame, checkDecision(decision)));
  }

  #close(strategyId: string): void {
    const work = this.#work.get(strategyId);
    if (work === undefined) return;
    this.#run(strategyId, work, () => executeClosing(work.frame));
  }

  #fail(strategyId: string, error: CycleError): void {
    const work = this.#work.get(strategyId);
    if (work === undefined) return;
    this.#run(strategyId, work, () => executeFailure(work.frame, error));
  }

  #run(strategyId: string, work: Work, effect: () => CycleOutcome | Promise<CycleOutcome>): void {
    const result = attempt(effect);
    if (!result.ok) {
      this.#finish(strategyId, failCycle(work.frame, result.error));
    } else if (result.value instanceof Promise) {
      void result.value.then(
        (outcome) => this.#finishIfCurrent(strategyId, work, outcome),
        (error: unknown) =>
          this.#finishIfCurrent(strategyId, work, failCycle(work.frame, toCycleError(error))),
      );
    } else {
      this.#finish(strategyId, result.value);
    }
  }

  #finishIfCurrent(strategyId: string, work: Work, outcome: CycleOutcome): void {
    if (this.#work.get(strategyId) === work) this.#finish(strategyId, outcome);
  }

  #finish(strategyId: string, outcome: CycleOutcome | null): void {
    const work = this.#work.get(strategyId);
    if (work === undefined) return;
    this.#work.delete(strategyId);
    if (outcome !== null) {
      outcome.cycle.durationMs = Math.round(this.#timer.elapsed() - work.frame.startedAt);
    }
    work.settle(outcome);
  }
}

type Settled = { ok: true; value: Decision } | { ok: false; error: CycleError };

function attempt<T>(effect: () => T): { ok: true; value: T } | { ok: false; error: CycleError } {
  try {
    return { ok: true, value: effect() };
  } catch (error) {
    return { ok: false, error: toCycleError(error) };
  }
}

/** An unknown thrown value as what a failed cycle stores. */
export function toCycleError(error: unknown): CycleError {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string"
      ? error.code
      : "DECISION_FAILED";
  return { code, message: errorMessage(error) };
}
