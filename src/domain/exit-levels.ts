import type { DecimalString } from "./decimal.ts";
import type { Protection } from "./decision.ts";
import { type Fixed, larger, smaller } from "./fixed.ts";
import { positivePrice } from "./price.ts";

/** The prices at which one position is closed, seen from it: no path for long and short apart. */
export interface ExitLevels {
  long: boolean;
  stop: Fixed | null;
  target: Fixed | null;
}

/** Of several protections of one symbol the nearest stop and the nearest target count. */
export function levelsOf(
  protections: readonly Protection[],
  symbol: string,
  long: boolean,
): ExitLevels {
  const levels: ExitLevels = { long, stop: null, target: null };
  const [nearestStop, nearestTarget] = long ? [larger, smaller] : [smaller, larger];
  for (const protection of protections) {
    if (protection.symbol !== symbol) continue;
    levels.stop = nearest(levels.stop, protection.stopLoss, nearestStop);
    levels.target = nearest(levels.target, protection.takeProfit, nearestTarget);
  }
  return levels;
}

function nearest(
  known: Fixed | null,
  text: DecimalString | null,
  choose: (left: Fixed, right: Fixed) => Fixed,
): Fixed | null {
  const price = text === null ? null : positivePrice(text);
  if (price === null || known === null) return price ?? known;
  return choose(known, price);
}

/** Has a price that is bad for the position gone to `level` or beyond? */
export function isLostAt(level: Fixed | null, price: Fixed, long: boolean): level is Fixed {
  return level !== null && (long ? price <= level : price >= level);
}

/** Has a price that is good for the position reached `level`? */
export function isWonAt(level: Fixed | null, price: Fixed, long: boolean): level is Fixed {
  return level !== null && (long ? price >= level : price <= level);
}
