// What the API shows where it differs from what the services hand over.
import type { EngineMonitor } from "#services/engine-monitor.ts";
import type { StrategyListItem, CycleRecord, StoredLeg, StoredView } from "#services/records.ts";

/** The state does not yet say what its owner asked for. */
export function isPending({
  state,
  desiredStatus,
}: Pick<StrategyListItem, "state" | "desiredStatus">): boolean {
  return desiredStatus === "stopped" ? state !== "stopped" : state === "stopped";
}

/** A stored strategy, with what this process sees it at beyond that. */
export function withStanding<Item extends StrategyListItem>(
  { live }: Pick<EngineMonitor, "live">,
  item: Item,
) {
  const { inProgress = null } = live.get(item.id) ?? {};
  return { ...item, pending: isPending(item), inProgress };
}

/** Stored as a fraction under a name that ends in `Pct`; here a name says what it is. */
export function tradeOf({ realizedPnlPct, ...leg }: StoredLeg) {
  return { ...leg, realizedPnlFraction: realizedPnlPct };
}

export function cycleOf<Record extends CycleRecord>({ legs, ...cycle }: Record) {
  return { ...cycle, trades: legs.map(tradeOf) };
}

export function portfolioOf({ holdings, ...view }: StoredView) {
  return {
    ...view,
    holdings: holdings.map(({ unrealizedPnlPct, ...holding }) => ({
      ...holding,
      unrealizedPnlFraction: unrealizedPnlPct,
    })),
  };
}
