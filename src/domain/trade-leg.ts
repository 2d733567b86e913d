import type { DecimalString } from "./decimal.ts";
import { absolute, divide, fixedString } from "./fixed.ts";
import { tradeIdOf } from "./ids.ts";
import type { Position, TradeLeg } from "./portfolio.ts";
import type { ClosedPart, Netting, OpenedPart } from "./position.ts";
import type { Fill } from "./trading.ts";

/** Which fill of which instruction a leg comes from; leg ids derive from it (I2). */
export interface FillRef {
  instructionId: string;
  /** From 0, in the order the channel reported the fills. */
  fillIndex: number;
}

/** The closing leg first, then the opening one; a fill that does not cross zero has just one. */
export function legsOf(
  held: Position | undefined,
  fill: Fill,
  { closed, opened, price, ref }: Netting & { price: DecimalString; ref: FillRef },
): TradeLeg[] {
  const legs: TradeLeg[] = [];
  if (closed !== null && held !== undefined) {
    legs.push(closingLeg(held, fill, { part: closed, price, ref }));
  }
  if (opened !== null) {
    legs.push(openingLeg(fill, { part: opened, price, ref, legNumber: legs.length + 1 }));
  }
  return legs;
}

function closingLeg(
  held: Position,
  fill: Fill,
  { part, price, ref }: { part: ClosedPart; price: DecimalString; ref: FillRef },
): TradeLeg {
  const entryNotional = absolute(part.cost);
  const realized = part.gross - part.fee - part.entryFees;
  return {
    tradeId: tradeIdOf(ref.instructionId, ref.fillIndex, 1),
    instructionId: ref.instructionId,
    legNumber: 1,
    symbol: fill.symbol,
    kind: "close",
    type: fill.side === "SELL" ? "LONG" : "SHORT",
    side: fill.side,
    quantity: fixedString(part.quantity),
    leverage: held.leverage,
    entryPrice: fixedString(divide(entryNotional, part.quantity)),
    exitPrice: price,
    notionalEntry: fixedString(entryNotional),
    notionalExit: fixedString(part.exitNotional),
    feeCost: fixedString(part.fee),
    realizedPnl: fixedString(realized),
    // A position too small for its cost to be written down has no meaningful percentage.
    realizedPnlPct: entryNotional === 0n ? null : fixedString(divide(realized, entryNotional)),
    entryAt: held.entryAt,
    exitAt: fill.at,
    holdingMs: fill.at - held.entryAt,
    eventAt: fill.at,
  };
}

function openingLeg(
  fill: Fill,
  {
    part,
    price,
    ref,
    legNumber,
  }: { part: OpenedPart; price: DecimalString; ref: FillRef; legNumber: number },
): TradeLeg {
  return {
    tradeId: tradeIdOf(ref.instructionId, ref.fillIndex, legNumber),
    instructionId: ref.instructionId,
    legNumber,
    symbol: fill.symbol,
    kind: "open",
    type: fill.side === "BUY" ? "LONG" : "SHORT",
    side: fill.side,
    quantity: fixedString(part.quantity),
    leverage: fill.leverage,
    entryPrice: price,
    exitPrice: null,
    notionalEntry: fixedString(part.notional),
    notionalExit: null,
    feeCost: fixedString(part.fee),
    realizedPnl: null,
    realizedPnlPct: null,
    entryAt: fill.at,
    exitAt: null,
    holdingMs: null,
    eventAt: fill.at,
  };
}
