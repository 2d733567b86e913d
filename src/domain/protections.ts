import type { DecimalString } from "./decimal.ts";
import type { Protection } from "./decision.ts";
import { type Fixed, ONE, fixedOf, fixedString, multiply } from "./fixed.ts";
import type { MarketSnapshot, Quote } from "./market.ts";
import { closeItem } from "./orders.ts";
import type { Ledger, Position } from "./portfolio.ts";
import { positivePrice, usablePrice } from "./price.ts";
import type { PlanItem, PositionType } from "./trading.ts";

export interface TriggeredProtection {
  symbol: string;
  reason: "stop_loss" | "take_profit";
  /** Closes the whole position, at market: a gap beyond the stop is paid in full. */
  item: PlanItem;
}

/**
 * Protections whose price was reached since the previous tick: the quote's low and high count, not
 * only its last price. When both were reached the stop wins, for nobody knows which came first. A
 * stale quote still triggers: an exit is never held back (I12). One result per symbol.
 */
export function triggeredProtections(
  protections: readonly Protection[],
  ledger: Ledger,
  market: Pick<MarketSnapshot, "quotes">,
): TriggeredProtection[] {
  const found = new Map<string, TriggeredProtection>();
  for (const protection of protections) {
    const position = ledger.positions[protection.symbol];
    const quote = market.quotes[protection.symbol];
    if (position === undefined || quote === undefined) continue;
    const reason = reasonOf(protection, rangeOf(position, quote));
    if (reason === null || found.get(protection.symbol)?.reason === "stop_loss") continue;
    for (const item of closeItem(ledger, protection.symbol)) {
      const rationale = rationaleOf(protection, reason, quote);
      found.set(item.symbol, { symbol: item.symbol, reason, item: { ...item, rationale } });
    }
  }
  return [...found.values()];
}

export interface StopMove {
  type: PositionType;
  /** Quote currency. */
  price: DecimalString;
  /** Distance kept to the price, fraction of it. */
  distance: number;
}

/**
 * Where a trailing stop stands after `price`: it moves with a favourable price and never back. With
 * no stop yet it starts at price × (1 − distance), for a short price × (1 + distance).
 * @public for the trailing stops of the risk limits
 */
export function trailedStop(stop: DecimalString | null, move: StopMove): DecimalString | null {
  const price = positivePrice(move.price);
  if (price === null) return stop;
  const distance = fixedOf(move.distance);
  const long = move.type === "LONG";
  const next = multiply(price, long ? ONE - distance : ONE + distance);
  const current = stop === null ? null : positivePrice(stop);
  const better = current === null || (long ? next > current : next < current);
  return better ? fixedString(next) : stop;
}

interface Range {
  long: boolean;
  /** Worst and best price for the position since the previous tick. */
  worst: Fixed;
  best: Fixed;
}

function rangeOf(position: Position, quote: Quote): Range | null {
  const last = usablePrice(quote);
  if (last === null) return null;
  const long = !position.quantity.startsWith("-");
  // Extremes from before the entry did not touch this position.
  const seen = quote.at > position.entryAt;
  const low = (seen ? positivePrice(quote.low) : null) ?? last;
  const high = (seen ? positivePrice(quote.high) : null) ?? last;
  const lowest = low < last ? low : last;
  const highest = high > last ? high : last;
  return long ? { long, worst: lowest, best: highest } : { long, worst: highest, best: lowest };
}

function reasonOf(
  protection: Protection,
  range: Range | null,
): TriggeredProtection["reason"] | null {
  if (range === null) return null;
  const stop = priceOrNull(protection.stopLoss);
  if (stop !== null && (range.long ? range.worst <= stop : range.worst >= stop)) return "stop_loss";
  const profit = priceOrNull(protection.takeProfit);
  if (profit === null) return null;
  return (range.long ? range.best >= profit : range.best <= profit) ? "take_profit" : null;
}

function priceOrNull(text: DecimalString | null): Fixed | null {
  return text === null ? null : positivePrice(text);
}

function rationaleOf(
  protection: Protection,
  reason: TriggeredProtection["reason"],
  quote: Quote,
): string {
  const [name, level] =
    reason === "stop_loss"
      ? ["stop loss", protection.stopLoss]
      : ["take profit", protection.takeProfit];
  return `${name} at ${level ?? "?"} reached: low ${quote.low}, high ${quote.high}, last ${quote.price}`;
}
