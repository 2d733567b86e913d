import type { DecimalString } from "./decimal.ts";
import { type Fixed, fixed, fixedString, multiply, share } from "./fixed.ts";
import type { FundingEvent } from "./market.ts";
import { fundingPayment, isFunded } from "./perpetual.ts";
import type { Ledger, Position, TradeLeg } from "./portfolio.ts";
import { type Movement, type Netting, movementOf, netFill } from "./position.ts";
import { type FillRef, legsOf } from "./trade-leg.ts";
import type { Fill, MarketType } from "./trading.ts";

export { valuePortfolio } from "./valuation.ts";

export interface LedgerOpening {
  marketType: MarketType;
  /** Quote currency. */
  initialBalance: DecimalString;
}

/** A ledger that holds nothing but its initial balance. */
export function openLedger({ marketType, initialBalance }: LedgerOpening): Ledger {
  const balance = fixedString(fixed(initialBalance));
  return {
    marketType,
    initialBalance: balance,
    cash: balance,
    realizedPnl: "0",
    feesPaid: "0",
    fundingNet: "0",
    externalTransfers: "0",
    positions: {},
    peakEquity: balance,
    maxDrawdown: "0",
    totalTrades: 0,
    winningTrades: 0,
    losingTrades: 0,
  };
}

/**
 * Books one fill. A fill through zero gives a closing leg 1 and an opening leg 2 of the same
 * instruction. Every notional and fee is rounded to the storage scale once and that number used
 * everywhere, so cash, realized PnL and cost stay in balance to the last decimal (I10).
 * @throws InvalidInputError (INVALID_INPUT) when quantity or price is not a positive number.
 */
export function applyFill(
  ledger: Ledger,
  fill: Fill,
  ref: FillRef,
): { ledger: Ledger; legs: TradeLeg[] } {
  const held = ledger.positions[fill.symbol];
  const movement = movementOf(fill, ledger.marketType);
  const netting = netFill(held, fill, movement);
  const legs = legsOf(held, fill, { ...netting, price: fixedString(movement.price), ref });
  return { ledger: book(ledger, movement, { netting, symbol: fill.symbol }), legs };
}

function book(
  ledger: Ledger,
  movement: Movement,
  { netting, symbol }: { netting: Netting; symbol: string },
): Ledger {
  const { trip, closed, position } = netting;
  const realized = closed === null ? -movement.fee : closed.gross - movement.fee;
  return {
    ...ledger,
    cash: fixedString(fixed(ledger.cash) + cashMoved(ledger.marketType, movement, realized)),
    realizedPnl: fixedString(fixed(ledger.realizedPnl) + realized),
    feesPaid: fixedString(fixed(ledger.feesPaid) + movement.fee),
    positions: withPosition(ledger.positions, symbol, position),
    totalTrades: ledger.totalTrades + 1,
    winningTrades: ledger.winningTrades + (trip !== null && trip > 0n ? 1 : 0),
    losingTrades: ledger.losingTrades + (trip !== null && trip < 0n ? 1 : 0),
  };
}

function cashMoved(marketType: MarketType, movement: Movement, realized: Fixed): Fixed {
  if (marketType === "perpetual") return realized;
  const received = movement.buys ? -movement.notional : movement.notional;
  return received - movement.fee;
}

function withPosition(
  positions: Record<string, Position>,
  symbol: string,
  position: Position | null,
): Record<string, Position> {
  if (position !== null) return { ...positions, [symbol]: position };
  const { [symbol]: _closed, ...others } = positions;
  return others;
}

/**
 * Books one funding payment of a perpetual: a long pays a positive rate, a short receives it.
 * Changes nothing on spot, without a position, or for one opened after the payment.
 * `graceMs`: how long after the payment an opening still counts (Binance: 15 000).
 */
export function applyFunding(ledger: Ledger, event: FundingEvent, graceMs = 0): Ledger {
  const position = ledger.positions[event.symbol];
  if (ledger.marketType === "spot" || position === undefined) return ledger;
  if (!isFunded(position.entryAt, event.at, graceMs)) return ledger;
  return withFunding(ledger, fundingPayment(fixed(position.quantity), event));
}

function withFunding(ledger: Ledger, payment: Fixed): Ledger {
  return {
    ...ledger,
    cash: fixedString(fixed(ledger.cash) + payment),
    realizedPnl: fixedString(fixed(ledger.realizedPnl) + payment),
    fundingNet: fixedString(fixed(ledger.fundingNet) + payment),
  };
}

/**
 * Books the funding of the instant at which `legs` opened something: what is opened at a payment, or
 * within the venue's grace after it, pays that payment as well. What was held before has paid it.
 */
export function applyEntryFunding(
  ledger: Ledger,
  legs: readonly TradeLeg[],
  { funding, graceMs }: { funding: readonly FundingEvent[]; graceMs: number },
): Ledger {
  if (ledger.marketType === "spot" || funding.length === 0) return ledger;
  let payment = 0n;
  for (const { kind, symbol, side, quantity, entryAt } of legs) {
    if (kind === "close") continue;
    const opened = side === "BUY" ? fixed(quantity) : -fixed(quantity);
    for (const event of funding) {
      const isDue = event.at <= entryAt && isFunded(entryAt, event.at, graceMs);
      if (event.symbol === symbol && isDue) payment += fundingPayment(opened, event);
    }
  }
  return payment === 0n ? ledger : withFunding(ledger, payment);
}

/**
 * Books a deposit (+) or withdrawal (−) in quote currency. It is no profit and no loss: the peak moves
 * in proportion, so that the drawdown as a fraction stays what it was.
 * @public for deposits and withdrawals over the API
 */
export function applyTransfer(ledger: Ledger, amount: DecimalString): Ledger {
  const moved = fixed(amount);
  return {
    ...ledger,
    cash: fixedString(fixed(ledger.cash) + moved),
    externalTransfers: fixedString(fixed(ledger.externalTransfers) + moved),
    peakEquity: fixedString(movedPeak(ledger, moved)),
  };
}

function movedPeak(ledger: Ledger, moved: Fixed): Fixed {
  const peak = fixed(ledger.peakEquity);
  const before = equityAtLastMarks(ledger);
  const after = before + moved;
  return before <= 0n || after <= 0n ? peak + moved : share(peak, after, before);
}

function equityAtLastMarks(ledger: Ledger): Fixed {
  let equity = fixed(ledger.cash);
  for (const { quantity, markPrice, cost } of Object.values(ledger.positions)) {
    const value = multiply(fixed(quantity), fixed(markPrice));
    equity += ledger.marketType === "spot" ? value : value - fixed(cost);
  }
  return equity;
}
