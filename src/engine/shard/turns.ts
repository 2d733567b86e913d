import type { Definition } from "#domain/definition.ts";
import { DomainError, errorMessage } from "#domain/errors.ts";
import type { StopReason } from "#domain/strategy.ts";
import { failCycle, toCycleError } from "#engine/strategy/cycle.ts";
import type { Resident } from "#engine/strategy/resident.ts";
import { StrategyTurn, type Proposal } from "#engine/strategy/turn.ts";
import { isPhase } from "#machines/strategy.machine.ts";
import type { MemberWrite, NewAlert } from "#ports/store.ts";

const NEWS = {
  strategy_stopped: "strategy stopped by supervision",
  account_ended: "strategy stopped: its account has ended",
  positions_left_open: "strategy stopped, and not all of its positions could be closed",
} as const;

const NEWS_OF: Partial<Record<StopReason, keyof typeof NEWS>> = {
  bankrupt: "account_ended",
  error_closing_positions: "positions_left_open",
};

/** What is handed to the journal at once. */
export interface Portion {
  writes: MemberWrite[];
  alerts: NewAlert[];
  /** Do some of these states begin more work of the same message? */
  leadsOn: boolean;
  /** Are there orders among it that nobody has sent yet (I3)? */
  intends: boolean;
}

/** What all turns of one message have in common. */
export interface TurnsOrigin {
  shardId: string;
  /** Null where no strategy can begin anything: a resume or a cancel. */
  definition: Definition | null;
  signal: AbortSignal;
}

/** The turns of one message, gathered for one commit, or for several where some of them wait. */
export class Turns {
  readonly #origin: TurnsOrigin;
  readonly #turns = new Map<string, StrategyTurn>();
  readonly #taken = new Map<string, { turn: StrategyTurn; proposal: Proposal }>();
  #alerts: NewAlert[] = [];
  #wake: () => void = () => undefined;

  constructor(origin: TurnsOrigin) {
    this.#origin = origin;
  }

  /** A strategy's turn; what it was at before in this message is abandoned. */
  begin(resident: Resident): StrategyTurn {
    this.#turns.get(resident.strategyId)?.abandon();
    const onNews = (): void => this.#wake();
    const turn = new StrategyTurn({ ...this.#origin, resident, onNews });
    this.#turns.set(resident.strategyId, turn);
    return turn;
  }

  get waiting(): StrategyTurn[] {
    return [...this.#turns.values()].filter((turn) => turn.isWaiting);
  }

  get isComplete(): boolean {
    for (const turn of this.#turns.values()) if (turn.isWaiting) return false;
    return true;
  }

  /** Is there anything that no commit has taken yet? */
  get hasMore(): boolean {
    for (const turn of this.#turns.values()) if (turn.hasChange) return true;
    return false;
  }

  /** Turns whose actor has failed in them. */
  get failed(): StrategyTurn[] {
    return [...this.#turns.values()].filter(({ resident }) => resident.hasFailed);
  }

  /** How many strategies have something to commit. */
  get changes(): number {
    return [...this.#turns.values()].filter((turn) => turn.hasChange).length;
  }

  /** What came since the last call: each change is handed out once. */
  take(): Portion {
    this.#taken.clear();
    this.#alerts = [];
    const portion: Portion = { writes: [], alerts: this.#alerts, leadsOn: false, intends: false };
    for (const turn of this.#turns.values()) {
      const proposal = this.#takeOf(turn);
      if (proposal === null) continue;
      portion.writes.push(proposal.write);
      const { event, next } = proposal;
      portion.leadsOn ||= isPhase(next);
      portion.intends ||= event.type === "RECORDED" && event.intended.length > 0;
    }
    return portion;
  }

  /** What was handed out last of a strategy. */
  proposalOf(strategyId: string): { turn: StrategyTurn; proposal: Proposal } | undefined {
    return this.#taken.get(strategyId);
  }

  /** Instead of a cycle the database refused: the same cycle as failed, with the reason (I6). */
  replace(refused: MemberWrite, error: unknown): MemberWrite | null {
    const turn = this.#taken.get(refused.strategyId)?.turn;
    if (turn === undefined || turn.cycle === null) return null;
    if (refused.cycle === null || refused.cycle.status === "failed") return null;
    const { code } = toCycleError(error);
    const message = `not recorded by the database: ${errorMessage(error)}${ruleOf(error)}`;
    turn.record(failCycle(turn.cycle, { code, message }));
    return this.#takeOf(turn)?.write ?? null;
  }

  /** Resolves at the next news of any turn. */
  async news(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #takeOf(turn: StrategyTurn): Proposal | null {
    const proposal = turn.take();
    if (proposal === null) return null;
    this.#taken.set(turn.strategyId, { turn, proposal });
    this.#tell(proposal);
    return proposal;
  }

  /** Of the same transaction as what it is about. */
  #tell({ hasFailed, write }: Proposal): void {
    const kind = hasFailed ? "strategy_stopped" : NEWS_OF[write.stopReason ?? "cancelled"];
    if (kind === undefined) return;
    const { stopReasonDetail: reason, strategyId } = write;
    const alert = { kind, severity: "error", subject: strategyId, strategyId } as const;
    this.#alerts.push({ ...alert, message: NEWS[kind], detail: { reason } });
  }
}

/** Which rule of the database was broken, where it says so. */
function ruleOf(error: unknown): string {
  const constraint = error instanceof DomainError ? error.details["constraint"] : null;
  return typeof constraint === "string" ? ` (${constraint})` : "";
}
