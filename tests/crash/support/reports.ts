import type { StrategyContext } from "#machines/strategy.machine.ts";
import type { CommittedActor } from "#support/invariants.ts";

/** What the engine process tells its parent, one per line. */
export type Report =
  | { event: "seeded"; created: number }
  | ({ event: "opened" } & Findings)
  | ({ event: "restored" } & Restored)
  /** Cycles committed by this process so far, and what it has just begun to show. */
  | { event: "worked"; cycles: number; shown: ShownStrategy[] }
  /** Everything it shows at its end. */
  | { event: "finished"; shown: ShownStrategy[] };

/** A strategy as API and inspection show it. */
export interface ShownStrategy {
  strategyId: string;
  seq: number;
  cycleIndex: number;
  state: string;
  equity: string;
  cash: string;
}

/** What a process made of the database, before it worked on it. */
export interface Restored {
  /** Null when they live in threads of their own and cannot be looked at. */
  actors: RestoredActor[] | null;
  shown: ShownStrategy[];
}

/** An actor as a process restored it. */
export interface RestoredActor {
  strategyId: string;
  seq: number;
  value: string;
  context: StrategyContext;
  /** Valued at the marks it was stored with. */
  equity: string;
  cash: string;
}

/** The state of the database before the process began to work on it. */
export interface Findings {
  violations: string[];
  committed: CommittedActor[];
  /** Ticks that were under way. */
  openTicks: number;
}
