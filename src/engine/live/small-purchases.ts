import type { NewAlert } from "#ports/store.ts";
import type { CommittedChange } from "./live-view.ts";

/** Decisions to buy in a row that leave no order before it is said, and said again. */
export const IN_A_ROW = 10;

/**
 * Counts decisions to buy that left no order because it would have been below the venue's smallest.
 * In memory, by what this node committed: after a restart it begins anew, the alert stays.
 */
export class SmallPurchases {
  readonly #counts = new Map<string, number>();

  /** Takes committed changes; returns what is to be said of them. */
  note(changes: readonly CommittedChange[]): NewAlert[] {
    const alerts: NewAlert[] = [];
    for (const { purchase, strategyId } of changes) {
      if (purchase === "ordered") this.#counts.delete(strategyId);
      if (purchase !== "too_small") continue;
      const count = (this.#counts.get(strategyId) ?? 0) + 1;
      this.#counts.set(strategyId, count);
      if (count % IN_A_ROW === 0) alerts.push(alertOf(strategyId, count));
    }
    return alerts;
  }
}

function alertOf(strategyId: string, decisions: number): NewAlert {
  return {
    kind: "purchases_too_small",
    severity: "warning",
    subject: strategyId,
    strategyId,
    message: `${decisions} decisions to buy in a row left no order: each was below the venue's smallest; a strategy of this balance needs larger purchases, or a larger balance`,
    detail: { decisions },
  };
}
