import type { DecimalString } from "./decimal.ts";
import { fixed, fixedString } from "./fixed.ts";
import type { TradeLeg } from "./portfolio.ts";

export type RoundTripLeg = Pick<TradeLeg, "symbol" | "kind" | "quantity" | "realizedPnl">;

/**
 * The results after fees of the round trips that `legs` (oldest first, from the start) ended: from flat
 * to flat, or through zero to the other side. However many legs close a position, it is one trip: the
 * same count as the ledger's.
 */
export function roundTrips(legs: readonly RoundTripLeg[]): DecimalString[] {
  const open = new Map<string, { left: bigint; result: bigint }>();
  const results: DecimalString[] = [];
  for (const { symbol, kind, quantity, realizedPnl } of legs) {
    const trip = open.get(symbol) ?? { left: 0n, result: 0n };
    trip.left += kind === "open" ? fixed(quantity) : -fixed(quantity);
    trip.result += realizedPnl === null ? 0n : fixed(realizedPnl);
    open.set(symbol, trip);
    if (trip.left !== 0n) continue;
    results.push(fixedString(trip.result));
    open.delete(symbol);
  }
  return results;
}
