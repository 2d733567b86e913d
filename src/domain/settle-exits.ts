import type { BarVolumes } from "./bar-volumes.ts";
import type { Protection } from "./decision.ts";
import type { OpenExit } from "./exit.ts";
import { type ExitLevels, isLostAt, isWonAt, levelsOf } from "./exit-levels.ts";
import { type ExitOutcome, ExitRun } from "./exit-run.ts";
import { type Fixed, fixed, fixedString, larger, multiply, smaller } from "./fixed.ts";
import { clientOrderIdOf, instructionIdOf } from "./ids.ts";
import { applyFunding } from "./ledger.ts";
import type { FundingEvent, MarketSnapshot, Quote } from "./market.ts";
import type { PaperTerms } from "./paper-terms.ts";
import { backingOf } from "./perpetual.ts";
import type { Ledger, Position, TradeLeg } from "./portfolio.ts";
import { positivePrice, usablePrice } from "./price.ts";
import { type SeenBar, barOfNow, seenBars } from "./seen-bars.ts";
import type { ExecutionReport, InstrumentRules, Order } from "./trading.ts";

export interface SettleInput {
  /** The cycle; instruction ids derive from it. */
  composeId: string;
  ledger: Ledger;
  protections: readonly Protection[];
  /** Exits of earlier cycles that go on. */
  exits: readonly OpenExit[];
  market: MarketSnapshot;
  /** Up to when the market has been dealt with, ms UTC; null: never. */
  seenUntil: number | null;
  terms: PaperTerms;
  rulesOf(symbol: string): InstrumentRules;
  /** What the bars still have to give; made when the first exit needs it. */
  volumes: () => BarVolumes;
}

/** One exit as it is recorded. */
export interface SettledExit {
  order: Order;
  report: ExecutionReport;
  outcome: ExitOutcome;
}

export interface Settlement {
  /** The money after funding and exits, not yet valued. */
  ledger: Ledger;
  exits: SettledExit[];
  legs: TradeLeg[];
  /** What goes on at the next chance. */
  open: OpenExit[];
}

/**
 * What happened to the positions since the last look, before anything is decided: funding, exits under
 * way, liquidations, stops and targets, each at the time and price it can be known at. The positions of
 * one wallet are led through the bars one after the other, the worst first. A stale price still lets a
 * position out (I12), but does not liquidate it.
 */
export function settleExits(input: SettleInput): Settlement {
  const { market, seenUntil } = input;
  if (Object.keys(input.ledger.positions).length === 0) return nothingSettled(input.ledger);
  const settlement: Settlement = { ledger: input.ledger, exits: [], legs: [], open: [] };
  const due = market.funding.filter(({ at }) => seenUntil === null || at > seenUntil);
  for (const position of worstFirst(input)) {
    const funding = due.filter(({ symbol }) => symbol === position.symbol);
    settleOne(settlement, input, { position, funding });
  }
  return settlement;
}

/** Of a ledger without positions, which most are at most times. */
function nothingSettled(ledger: Ledger): Settlement {
  return { ledger, exits: [], legs: [], open: [] };
}

function worstFirst({ ledger, market }: SettleInput): Position[] {
  const positions = Object.values(ledger.positions);
  if (positions.length < 2) return positions;
  const result = (position: Position): Fixed => {
    const mark = usablePrice(market.quotes[position.symbol]) ?? fixed(position.markPrice);
    return multiply(fixed(position.quantity), mark) - fixed(position.cost);
  };
  return positions
    .map((position) => ({ position, result: result(position) }))
    .toSorted((a, b) => (a.result < b.result ? -1 : 1))
    .map(({ position }) => position);
}

function settleOne(
  settlement: Settlement,
  input: SettleInput,
  { position, funding }: { position: Position; funding: readonly FundingEvent[] },
): void {
  const { symbol } = position;
  const quote = input.market.quotes[symbol];
  const underWay = input.exits.find((exit) => exit.symbol === symbol) ?? null;
  const levels = levelsOf(input.protections, symbol, !position.quantity.startsWith("-"));
  const funded = funding.reduce((ledger, due) => applyFunding(ledger, due), settlement.ledger);
  const looked = { ...input, ledger: funded };
  if (quote === undefined || (underWay === null && !isTouched(looked, levels, quote))) {
    settlement.ledger = funded;
    if (underWay !== null) settlement.open.push(underWay);
    return;
  }
  const run = new ExitRun(
    {
      symbol,
      ledger: settlement.ledger,
      levels,
      targetSince: input.seenUntil ?? position.entryAt,
      underWay,
      bars: barsFor(quote, input, position),
      funding,
      quotes: input.market.quotes,
      terms: termsFor(quote, input.terms),
      rules: input.rulesOf(symbol),
      volumes: input.volumes(),
      instructionId: instructionIdOf(input.composeId, settlement.exits.length),
    },
    position,
  );
  take(settlement, run, { input, symbol, underWay });
}

function take(
  settlement: Settlement,
  run: ExitRun,
  { input, symbol, underWay }: { input: SettleInput; symbol: string; underWay: OpenExit | null },
): void {
  const outcome = run.run();
  settlement.ledger = run.ledger;
  if (outcome === null) {
    if (underWay !== null) settlement.open.push(underWay);
    return;
  }
  const { cause, left, since } = outcome;
  if (left > 0n) settlement.open.push({ symbol, cause, remaining: fixedString(left), since });
  const order = orderOf(input.composeId, { symbol, outcome, index: settlement.exits.length });
  settlement.exits.push({ order, report: reportOf(order, outcome), outcome });
  settlement.legs.push(...outcome.legs);
}

/** A quick look at the range before the bars are read one by one. */
function isTouched(
  { ledger, market, terms }: SettleInput,
  { long, stop, target }: ExitLevels,
  quote: Quote,
): boolean {
  const price = usablePrice(quote);
  if (price === null) return false;
  const low = smaller(positivePrice(quote.low) ?? price, price);
  const high = larger(positivePrice(quote.high) ?? price, price);
  const worst = long ? low : high;
  if (isLostAt(stop, worst, long) || isWonAt(target, long ? high : low, long)) return true;
  const model = terms.liquidation;
  if (model === null) return false;
  const backing = backingOf(ledger, quote.symbol, { quotes: market.quotes, model });
  return isLostAt(backing?.liquidationPrice ?? null, worst, long);
}

function barsFor(
  quote: Quote,
  { market, seenUntil }: SettleInput,
  { entryAt }: Position,
): readonly SeenBar[] {
  const since = Math.max(entryAt, seenUntil ?? entryAt);
  const bars = seenBars(quote).filter(({ closeAt }) => closeAt > since);
  const last = bars.at(-1);
  // A live price is newer than the last bar.
  if (last !== undefined && last.closeAt >= quote.at) return bars;
  return [...bars, ...barOfNow(quote, { at: market.at, since: last?.closeAt ?? since })];
}

/** Nobody is liquidated at a price that may be long gone. */
function termsFor(quote: Quote, terms: PaperTerms): PaperTerms {
  const isFresh = quote.quality === "fresh" || seenBars(quote).length > 0;
  return isFresh ? terms : { ...terms, liquidation: null };
}

function orderOf(
  composeId: string,
  { symbol, outcome, index }: { symbol: string; outcome: ExitOutcome; index: number },
): Order {
  const instructionId = instructionIdOf(composeId, index);
  return {
    instructionId,
    index,
    symbol,
    action: outcome.long ? "close_long" : "close_short",
    side: outcome.long ? "SELL" : "BUY",
    quantity: fixedString(outcome.asked),
    leverage: outcome.leverage,
    priceMode: "market",
    limitPrice: null,
    reduceOnly: true,
    clientOrderId: clientOrderIdOf(instructionId),
    note: outcome.trigger ?? `${WORDS[outcome.cause]} goes on`,
  };
}

const WORDS = {
  liquidation: "the liquidation",
  stop_loss: "the exit at the stop loss",
  take_profit: "the exit at the take profit",
  signal: "the exit decided on",
  stop: "the closing of all positions",
} as const;

function reportOf(order: Order, { fills, left, shortfall }: ExitOutcome): ExecutionReport {
  const isPart = left > 0n;
  return {
    instructionId: order.instructionId,
    status: isPart ? (fills.length > 0 ? "partial" : "rejected") : "filled",
    fills,
    reason: isPart ? `${shortfall ?? "no price"}; the rest goes on at the next chance` : null,
    exchangeOrderId: fills.length > 0 ? `paper-${order.clientOrderId}` : null,
  };
}
