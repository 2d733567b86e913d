import { type Fixed, fixed, fixedString, multiply, share } from "./fixed.ts";
import { InvalidInputError } from "./errors.ts";
import type { Position } from "./portfolio.ts";
import type { Fill, MarketType } from "./trading.ts";

/** A fill in ledger terms: a base-currency fee on spot is already part of what moved. */
export interface Movement {
  buys: boolean;
  /** Base currency, > 0. */
  quantity: Fixed;
  /** Quote currency, > 0. */
  price: Fixed;
  /** Quote currency: what `quantity` is worth. */
  notional: Fixed;
  /** Quote currency, whatever it was paid in. */
  fee: Fixed;
}

/** What a fill took off a position. */
export interface ClosedPart {
  quantity: Fixed;
  /** Entry notional removed, signed like the position. */
  cost: Fixed;
  exitNotional: Fixed;
  fee: Fixed;
  /** Share of the position's entry fees. */
  entryFees: Fixed;
  /** Result before any fee, quote currency. */
  gross: Fixed;
}

/** What a fill added to a position, or opened anew. */
export interface OpenedPart {
  quantity: Fixed;
  notional: Fixed;
  fee: Fixed;
}

export interface Netting {
  /** Result after fees of the round trip that this fill ended, with its earlier closings; else null. */
  trip: Fixed | null;
  closed: ClosedPart | null;
  opened: OpenedPart | null;
  /** The position afterwards; null when nothing is left. */
  position: Position | null;
}

/**
 * Spot: a fee paid in the base currency makes a buy bring less and a sell take more, each valued at
 * the fill price, so that the cash moved is exactly the fill's notional. Perpetual: it is a cost only.
 * @throws InvalidInputError (INVALID_INPUT) when quantity or price is not a positive number.
 */
export function movementOf(fill: Fill, marketType: MarketType): Movement {
  const quantity = fixed(fill.quantity);
  const price = fixed(fill.price);
  if (quantity <= 0n || price <= 0n) throw invalidFill(fill);

  const buys = fill.side === "BUY";
  const notional = multiply(quantity, price);
  const feeAmount = fixed(fill.fee.amount);
  if (fill.fee.currency === "quote") return { buys, quantity, price, notional, fee: feeAmount };

  const fee = multiply(feeAmount, price);
  if (marketType === "perpetual") return { buys, quantity, price, notional, fee };
  const moved = buys ? quantity - feeAmount : quantity + feeAmount;
  if (moved <= 0n) throw invalidFill(fill);
  return { buys, quantity: moved, price, notional: buys ? notional - fee : notional + fee, fee };
}

/** Folds one movement into the position held, splitting it where it crosses zero. */
export function netFill(held: Position | undefined, fill: Fill, movement: Movement): Netting {
  if (held === undefined) return opening(fill, movement, movement);
  const quantity = fixed(held.quantity);
  if (quantity > 0n === movement.buys) return increase(held, quantity, { fill, movement });

  const size = quantity < 0n ? -quantity : quantity;
  if (movement.quantity < size) return reduce(held, quantity, movement);
  if (movement.quantity === size) {
    const closed = closeWhole(held, movement, movement);
    return { trip: tripOf(held, closed), closed, opened: null, position: null };
  }
  return flip(held, size, { fill, movement });
}

function opening(fill: Fill, movement: Movement, opened: OpenedPart): Netting {
  const position: Position = {
    symbol: fill.symbol,
    quantity: fixedString(signed(opened.quantity, movement.buys)),
    cost: fixedString(signed(opened.notional, movement.buys)),
    entryFees: fixedString(opened.fee),
    leverage: fill.leverage,
    entryAt: fill.at,
    markPrice: fixedString(movement.price),
    markAt: fill.at,
  };
  return { trip: null, closed: null, opened, position };
}

function increase(
  held: Position,
  quantity: Fixed,
  { fill, movement }: { fill: Fill; movement: Movement },
): Netting {
  const total = quantity + signed(movement.quantity, movement.buys);
  const position: Position = {
    ...held,
    quantity: fixedString(total),
    cost: fixedString(fixed(held.cost) + signed(movement.notional, movement.buys)),
    entryFees: fixedString(fixed(held.entryFees) + movement.fee),
    leverage: blendedLeverage(held.leverage, fill.leverage, Number(quantity) / Number(total)),
  };
  return { trip: null, closed: null, opened: movement, position };
}

function reduce(held: Position, quantity: Fixed, movement: Movement): Netting {
  const size = quantity < 0n ? -quantity : quantity;
  const heldCost = fixed(held.cost);
  const heldFees = fixed(held.entryFees);
  const cost = share(heldCost, movement.quantity, size);
  const entryFees = share(heldFees, movement.quantity, size);
  const closed = {
    quantity: movement.quantity,
    cost,
    exitNotional: movement.notional,
    fee: movement.fee,
    entryFees,
    gross: grossOf(cost, movement.notional, movement.buys),
  };
  const position: Position = {
    ...held,
    quantity: fixedString(quantity + signed(movement.quantity, movement.buys)),
    cost: fixedString(heldCost - cost),
    entryFees: fixedString(heldFees - entryFees),
    closedPnl: fixedString(tripOf(held, closed)),
  };
  return { trip: null, closed, opened: null, position };
}

function flip(
  held: Position,
  size: Fixed,
  { fill, movement }: { fill: Fill; movement: Movement },
): Netting {
  const closing: OpenedPart = {
    quantity: size,
    notional: share(movement.notional, size, movement.quantity),
    fee: share(movement.fee, size, movement.quantity),
  };
  const rest: OpenedPart = {
    quantity: movement.quantity - size,
    notional: movement.notional - closing.notional,
    fee: movement.fee - closing.fee,
  };
  const closed = closeWhole(held, movement, closing);
  return { ...opening(fill, movement, rest), trip: tripOf(held, closed), closed };
}

/** What the round trip has brought with this part: the results of its closing legs. */
function tripOf(held: Position, part: ClosedPart): Fixed {
  const before = held.closedPnl === undefined ? 0n : fixed(held.closedPnl);
  return before + part.gross - part.fee - part.entryFees;
}

function closeWhole(held: Position, movement: Movement, part: OpenedPart): ClosedPart {
  const cost = fixed(held.cost);
  return {
    quantity: part.quantity,
    cost,
    exitNotional: part.notional,
    fee: part.fee,
    entryFees: fixed(held.entryFees),
    gross: grossOf(cost, part.notional, movement.buys),
  };
}

// One formula for both directions: what came in minus what had gone out, in signed notionals.
function grossOf(cost: Fixed, exitNotional: Fixed, buys: boolean): Fixed {
  return signed(exitNotional, !buys) - cost;
}

/** Size-weighted, 4 decimals as stored. */
function blendedLeverage(held: number, added: number, heldShare: number): number {
  if (held === added) return held;
  return Math.round((held * heldShare + added * (1 - heldShare)) * 1e4) / 1e4;
}

function signed(value: Fixed, positive: boolean): Fixed {
  return positive ? value : -value;
}

function invalidFill(fill: Fill): InvalidInputError {
  return new InvalidInputError(
    "INVALID_INPUT",
    `expected a fill of ${fill.symbol} with positive quantity and price, was ${fill.quantity} at ${fill.price}`,
    { details: { fill } },
  );
}
