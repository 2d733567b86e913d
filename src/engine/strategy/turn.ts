import type { Definition } from "#domain/definition.ts";
import { InvariantError } from "#domain/errors.ts";
import type { StopReason } from "#domain/strategy.ts";
import { isPhase, type StrategyEvent, type Turn } from "#machines/strategy.machine.ts";
import type { MemberWrite } from "#ports/store.ts";
import { failCycle, toCycleError, type CycleOutcome, type OpenCycle } from "./cycle.ts";
import type { Resident, StrategySnapshot } from "./resident.ts";

/** What is to be committed, and what the actor hears once it is. */
export interface Proposal {
  event: StrategyEvent;
  next: StrategySnapshot;
  write: MemberWrite;
  /** The strategy is stopped because it could not go on. */
  hasFailed: boolean;
}

/** A change that waits to be committed; the state it leads to is asked of the machine at that moment. */
interface Change {
  event: StrategyEvent;
  outcome: CycleOutcome | null;
  /** Why the strategy cannot go on, where that is why it stops. */
  failure: { reason: StopReason; detail: string } | null;
}

interface TurnOrigin {
  resident: Resident;
  shardId: string;
  /** The template as the message sees it; null where nothing can begin. */
  definition: Definition | null;
  /** Aborts when the message is no longer this node's, or the node is closing. */
  signal: AbortSignal;
  /** Told whenever the turn has something to commit, or does not wait any more. */
  onNews: () => void;
}

/**
 * What one message makes of one strategy, all of it in one place: the cycle under way, whether it
 * waits for somebody, and what is to be committed. The machine hands it from effect to effect.
 */
export class StrategyTurn implements Turn {
  readonly resident: Resident;
  readonly shardId: string;
  readonly signal: AbortSignal;
  /** The cycle under way; null before one is opened, and in a turn without one. */
  cycle: OpenCycle | null = null;
  readonly #definition: Definition | null;
  readonly #onNews: () => void;
  #change: Change | null = null;
  #awaited: object | null = null;

  constructor({ resident, shardId, definition, signal, onNews }: TurnOrigin) {
    this.resident = resident;
    this.shardId = shardId;
    this.#definition = definition;
    this.signal = signal;
    this.#onNews = onNews;
  }

  get strategyId(): string {
    return this.resident.strategyId;
  }

  get definition(): Definition {
    if (this.#definition !== null) return this.#definition;
    throw new InvariantError(`nothing can begin in this turn of ${this.strategyId}`);
  }

  /** Does it wait for a decision, a price or a channel? */
  get isWaiting(): boolean {
    return this.#awaited !== null;
  }

  get hasChange(): boolean {
    return this.#change !== null;
  }

  /** `event`: at once if it begins work, committed first if the state it leads to is stored. */
  offer(event: StrategyEvent): void {
    const next = this.resident.after(event);
    if (next === null) return;
    if (isPhase(next)) this.resident.actor.send(event);
    else this.#propose({ event, outcome: null, failure: null });
  }

  /** The end of a cycle. */
  record(outcome: CycleOutcome): void {
    this.#propose({
      event: { type: "RECORDED", ...outcome.recorded, turn: this },
      outcome,
      failure: null,
    });
  }

  /** The strategy cannot go on. */
  fail(detail: string, reason: StopReason = "error"): void {
    const request = { commandId: "supervision", closePositions: false, reason: detail };
    this.#propose({
      event: { type: "STOP", ...request, turn: this },
      outcome: null,
      failure: { reason, detail },
    });
  }

  /** Goes on with the result of `work`, which never rejects, unless nobody waits for it any more. */
  waitFor<T>(work: Promise<T>, goOn: (result: T) => void): void {
    const token = {};
    const { actor } = this.resident;
    this.#awaited = token;
    const answer = async (): Promise<void> => {
      const result = await work;
      // Of an actor that was evicted or replaced meanwhile nobody wants to know.
      if (this.#awaited !== token || actor !== this.resident.liveActor) return;
      this.#awaited = null;
      goOn(result);
      this.#onNews();
    };
    void answer();
  }

  /** Nobody may use its outcome any more: a later answer finds nobody. */
  abandon(): void {
    this.#awaited = null;
    this.#change = null;
    this.#onNews();
  }

  /**
   * What to commit now; null when there is nothing. A state that cannot be written as JSON is its
   * decision's fault: then the cycle is recorded as failed.
   */
  take(): Proposal | null {
    const change = this.#change;
    this.#change = null;
    if (change === null) return null;
    try {
      return this.#proposalOf(change);
    } catch (error) {
      if (this.cycle === null || change.outcome === null) throw error;
      const failed = failCycle(this.cycle, toCycleError(error));
      return this.#proposalOf({
        event: { type: "RECORDED", ...failed.recorded, turn: this },
        outcome: failed,
        failure: null,
      });
    }
  }

  #propose(change: Change): void {
    this.#awaited = null;
    this.#change = change;
    this.#onNews();
  }

  #proposalOf({ event, outcome, failure }: Change): Proposal | null {
    // Stopped where its last commit left it.
    if (failure !== null) this.resident.revive();
    const next = this.resident.after(event);
    if (next === null) return null;
    const cycle = outcome?.cycle ?? null;
    const write = { ...this.resident.writeOf(next), ...stopOf(event, next), cycle };
    if (next.value === "stopped" && failure !== null) {
      const { reason: stopReason, detail: stopReasonDetail } = failure;
      return { event, next, write: { ...write, stopReason, stopReasonDetail }, hasFailed: true };
    }
    const isLeftOpen = next.value === "stopped" && (cycle?.view.holdings.length ?? 0) > 0;
    const words = isLeftOpen && cycle !== null ? leftOpen(cycle) : null;
    return { event, next, write: { ...write, ...words }, hasFailed: false };
  }
}

type StopWords = Pick<MemberWrite, "stopReason" | "stopReasonDetail">;

function stopOf(event: StrategyEvent, { value }: StrategySnapshot): StopWords {
  if (event.type === "CANCEL") return { stopReason: "cancelled", stopReasonDetail: event.reason };
  if (value !== "stopped") return { stopReason: null, stopReasonDetail: null };
  if (event.type === "RECORDED" && event.hasEnded) {
    const detail = `the account has ended: its cash is ${event.ledger.cash}`;
    return { stopReason: "bankrupt", stopReasonDetail: detail };
  }
  const stopReasonDetail = event.type === "STOP" ? event.reason : null;
  return { stopReason: "normal_exit", stopReasonDetail };
}

function leftOpen({ view }: CycleOutcome["cycle"]): StopWords {
  const exposure = view.holdings.map(({ quantity, symbol }) => `${quantity} ${symbol}`).join(", ");
  const detail = `still open: ${exposure}, gross exposure ${view.grossExposure}`;
  return { stopReason: "error_closing_positions", stopReasonDetail: detail };
}
