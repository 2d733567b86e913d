import { type BarVolumes, stillTaken } from "./bar-volumes.ts";
import type { ExitCause, FillState, OpenExit } from "./exit.ts";
import { type Fixed, absolute, fixed, fixedString, smaller } from "./fixed.ts";
import type { MarketSnapshot } from "./market.ts";
import type { Ledger } from "./portfolio.ts";
import type { ExecutionReport, Order } from "./trading.ts";

/** What closing orders of this cycle, not those of `settleExits`, could not close: it goes on. */
export function exitsLeft(
  orders: readonly Order[],
  reports: readonly ExecutionReport[],
  { cause, at }: { cause: ExitCause; at: number },
): OpenExit[] {
  const left = new Map<string, Fixed>();
  orders.forEach(({ symbol, reduceOnly, priceMode, quantity }, index) => {
    if (!reduceOnly || priceMode !== "market") return;
    const fills = reports[index]?.fills ?? [];
    const rest = fills.reduce((sum, fill) => sum - fixed(fill.quantity), fixed(quantity));
    if (rest > 0n) left.set(symbol, (left.get(symbol) ?? 0n) + rest);
  });
  return [...left].map(([symbol, rest]) => ({
    symbol,
    cause,
    remaining: fixedString(rest),
    since: at,
  }));
}

/** What a cycle leaves for the next one. */
export interface CycleEnd {
  before: FillState | undefined;
  /** Exits that go on, of whatever origin. */
  exits: readonly OpenExit[];
  /** Null where no order was made. */
  volumes: BarVolumes | null;
  market: MarketSnapshot;
  ledger: Ledger;
  /** `scheduledFor` of the newest tick, this cycle's included. */
  lastTickFor: number | null;
}

/** Null where there is nothing to remember, as after nearly every cycle. */
export function fillStateAfter(end: CycleEnd): FillState | null {
  const { before, market, volumes } = end;
  const exits = end.exits.length === 0 ? end.exits : withinPositions(end.exits, end.ledger);
  const taken = volumes?.remembered(market) ?? stillTaken(before?.taken ?? [], market);
  const seenUntil = end.lastTickFor === null || market.at > end.lastTickFor ? market.at : null;
  if (exits.length === 0 && taken.length === 0 && seenUntil === null) return null;
  return {
    ...(exits.length === 0 ? {} : { exits: [...exits] }),
    ...(taken.length === 0 ? {} : { taken: [...taken] }),
    ...(seenUntil === null ? {} : { seenUntil }),
  };
}

/** An exit ends with its position, whatever closed that. */
function withinPositions(exits: readonly OpenExit[], { positions }: Ledger): OpenExit[] {
  return exits.flatMap((exit) => {
    const position = positions[exit.symbol];
    if (position === undefined) return [];
    const remaining = smaller(fixed(exit.remaining), absolute(fixed(position.quantity)));
    return [{ ...exit, remaining: fixedString(remaining) }];
  });
}
