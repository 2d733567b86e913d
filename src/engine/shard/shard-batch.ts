import { DomainError, errorMessage } from "#domain/errors.ts";
import type { StopReason } from "#domain/strategy.ts";
import type { StrategyContext, StrategyEvent } from "#machines/strategy.machine.ts";
import type { MemberWrite, NewAlert } from "#ports/store.ts";
import { failCycle, type CycleFrame, type CycleOutcome } from "#engine/strategy/cycle.ts";
import type { Resident } from "#engine/strategy/resident.ts";
import { toCycleError } from "#engine/strategy/strategy-runtime.ts";

/** One member's part of a commit: what is written, and what its actor hears afterwards. */
interface Entry {
  resident: Resident;
  write: MemberWrite;
  context: StrategyContext;
  event: StrategyEvent;
  frame: CycleFrame | null;
}

const NEWS = {
  strategy_stopped: "strategy stopped by supervision",
  positions_left_open: "strategy stopped, and not all of its positions could be closed",
} as const;

/** What is handed to the journal at once. */
interface Portion {
  writes: MemberWrite[];
  alerts: NewAlert[];
}

/** What one message makes of a shard's members, gathered for one commit, or several where some wait. */
export class ShardBatch {
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Map<string, Resident>();
  readonly #expected = new Map<string, { resident: Resident; frame: CycleFrame }>();
  readonly #taken = new Set<string>();
  #alerts: NewAlert[] = [];
  #takenAlerts: NewAlert[] = [];
  #wake: () => void = () => undefined;

  get size(): number {
    return this.#entries.size;
  }

  /** Is there anything that no commit has taken yet? */
  get hasMore(): boolean {
    return this.#entries.size > this.#taken.size;
  }

  /** What came since the last call: each member's part is handed out once. */
  take(): Portion {
    const entries = [...this.#entries.values()].filter(
      ({ write }) => !this.#taken.has(write.strategyId),
    );
    for (const { write } of entries) this.#taken.add(write.strategyId);
    this.#takenAlerts = this.#alerts;
    this.#alerts = [];
    return { writes: entries.map(({ write }) => write), alerts: this.#takenAlerts };
  }

  /** Members whose work has not come back. */
  get waiting(): Iterable<Resident> {
    return this.#waiting.values();
  }

  get isComplete(): boolean {
    return this.#waiting.size === 0;
  }

  entryOf(strategyId: string): Entry | undefined {
    return this.#entries.get(strategyId);
  }

  /** Announces work; the returned function takes its outcome, null when it was abandoned. */
  expect(resident: Resident, frame: CycleFrame): (outcome: CycleOutcome | null) => void {
    this.#waiting.set(resident.strategyId, resident);
    this.#expected.set(resident.strategyId, { resident, frame });
    return (outcome) => {
      this.#waiting.delete(resident.strategyId);
      if (outcome !== null) this.#recordOrFail(resident, frame, outcome);
      if (this.isComplete) this.#wake();
    };
  }

  /** Members whose work ended without anything to commit. */
  get empty(): { resident: Resident; frame: CycleFrame }[] {
    return [...this.#expected.values()].filter(
      ({ resident }) => !this.#entries.has(resident.strategyId),
    );
  }

  /** A state that cannot be written as JSON is its decision's fault, and nobody else's. */
  #recordOrFail(resident: Resident, frame: CycleFrame, outcome: CycleOutcome): void {
    try {
      this.record(resident, frame, outcome);
    } catch (error) {
      this.record(resident, frame, failCycle(frame, toCycleError(error)));
    }
  }

  record(resident: Resident, frame: CycleFrame, outcome: CycleOutcome): void {
    const { value, context, cycle, stopReason, stopReasonDetail } = outcome;
    if (stopReason === "error_closing_positions") {
      this.#tell(resident, "positions_left_open", stopReasonDetail ?? cycle.rationale);
    }
    const write = resident.writeOf(value, context, { stopReason, stopReasonDetail });
    this.#entries.set(resident.strategyId, {
      resident,
      write: { ...write, cycle },
      context,
      event: { type: "RECORDED", value, context },
      frame,
    });
  }

  /** A change of state without a cycle. */
  add(
    resident: Resident,
    change: { write: MemberWrite; context: StrategyContext; event: StrategyEvent },
  ): void {
    this.#entries.set(resident.strategyId, { resident, frame: null, ...change });
  }

  /** The strategy cannot go on: stopped with its reason, and somebody is told. */
  fail(resident: Resident, detail: string, stopReason: StopReason = "error"): void {
    const { context, strategyId } = resident;
    this.#waiting.delete(strategyId);
    this.add(resident, {
      write: resident.writeOf("stopped", context, { stopReason, stopReasonDetail: detail }),
      context,
      event: { type: "STOP", commandId: "supervision", closePositions: false, reason: detail },
    });
    this.#tell(resident, "strategy_stopped", detail);
  }

  #tell({ strategyId }: Resident, kind: keyof typeof NEWS, reason: string): void {
    const message = NEWS[kind];
    const detail = { reason };
    this.#alerts.push({
      kind,
      severity: "error",
      subject: strategyId,
      strategyId,
      message,
      detail,
    });
  }

  /** Instead of a cycle the database refused: the same cycle as failed, with the reason (I6). */
  replace(refused: MemberWrite, error: unknown): MemberWrite | null {
    const entry = this.#entries.get(refused.strategyId);
    if (entry === undefined || entry.frame === null) return null;
    if (refused.cycle === null || refused.cycle.status === "failed") return null;
    const { code } = toCycleError(error);
    const message = `not recorded by the database: ${errorMessage(error)}${ruleOf(error)}`;
    this.record(entry.resident, entry.frame, failCycle(entry.frame, { code, message }));
    // Of the same transaction, should the failure be worth an alert.
    this.#takenAlerts.push(...this.#alerts.splice(0));
    return this.#entries.get(refused.strategyId)?.write ?? null;
  }

  /** Resolves when no work is outstanding. */
  async complete(): Promise<void> {
    if (this.isComplete) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Which rule of the database was broken, where it says so. */
function ruleOf(error: unknown): string {
  const constraint = error instanceof DomainError ? error.details["constraint"] : null;
  return typeof constraint === "string" ? ` (${constraint})` : "";
}
