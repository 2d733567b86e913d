// How a cycle's plan becomes orders, and what they make of the money: on paper at once, on a live channel as
// intent that is committed before anything is sent.
import { BarVolumes } from "#domain/bar-volumes.ts";
import type { Instruction, PendingOrder } from "#domain/cycle.ts";
import type { ExitCause, OpenExit } from "#domain/exit.ts";
import { exitsLeft } from "#domain/fill-state.ts";
import { divideRounded, fixed, fixedString, multiply } from "#domain/fixed.ts";
import { applyEntryFunding, applyFill } from "#domain/ledger.ts";
import { normalisePlan, type NormalisedPlan } from "#domain/orders.ts";
import type { Ledger, TradeLeg } from "#domain/portfolio.ts";
import type { ExecutionReport, Fill, Order, PlanItem, RiskLimits } from "#domain/trading.ts";
import type { PaperAccount, PaperChannel } from "#ports/trade-channel.ts";
import type { OpenCycle } from "./cycle.ts";

const MAX_POSITIONS = 5;

/** What a cycle's orders, or the venue's reports of earlier ones, have made of the money. */
export interface Booked {
  ledger: Ledger;
  instructions: Instruction[];
  /** Orders of earlier cycles with what has become of them. */
  answered: Instruction[];
  legs: TradeLeg[];
  /** What was wanted and left no order, with the reason. */
  skipped: NormalisedPlan["skipped"];
  /** Orders that are out, those of earlier cycles first. */
  pending: PendingOrder[];
  /** On paper: exits that go on in later cycles. */
  exits: OpenExit[];
  /** On paper: what bars still have to give; null where no order asked for any. */
  volumes: BarVolumes | null;
}

/** What is wanted, and in whose name positions are closed by it. */
export interface Wish {
  items: PlanItem[];
  cause: ExitCause;
}

/** Nothing traded but what exits did before: the money at the tick's prices. */
export function untouched({ context, opening }: OpenCycle): Booked {
  const { ledger, settled, volumes } = opening;
  return {
    ledger,
    instructions: settled.exits.map(({ order, report }) => answered(order, report)),
    answered: [],
    legs: settled.legs,
    skipped: [],
    pending: context.pending ?? [],
    exits: settled.open,
    volumes,
  };
}

/** Turns what is wanted into orders and carries them out as far as the channel lets it. */
export function trade<Outcome>(
  cycle: OpenCycle,
  { items, cause }: Wish,
  finish: (booked: Booked) => Outcome,
): Outcome | Promise<Outcome> {
  const { channel } = cycle;
  const { orders, skipped } = planOrders(cycle, items);
  const before = untouched(cycle);
  before.skipped = skipped;
  if (orders.length === 0) return finish(before);
  if (channel.kind === "live") return finish({ ...before, ...intend(before.pending, orders) });
  const account = accountOf(cycle, channel);
  const answer = (reports: readonly ExecutionReport[]): Outcome =>
    finish(withReports(cycle, { before, orders, reports, cause, account }));
  const reports = channel.execute(orders, cycle.market, account);
  return reports instanceof Promise ? reports.then(answer) : answer(reports);
}

function accountOf({ context, opening }: OpenCycle, { marketType, terms }: PaperChannel) {
  const volumes = opening.volumes ?? new BarVolumes(terms.volumeShare, context.fills?.taken);
  return { volumes, cash: marketType === "spot" ? fixed(opening.ledger.cash) : null };
}

interface Answered {
  before: Booked;
  orders: readonly Order[];
  reports: readonly ExecutionReport[];
  cause: ExitCause;
  account: PaperAccount;
}

function withReports(
  { channel, market, opening }: OpenCycle,
  { before, orders, reports, cause, account }: Answered,
): Booked {
  const booked = book(opening.ledger, orders, reports);
  const graceMs = channel.kind === "paper" ? channel.terms.fundingGraceMs : 0;
  const { funding } = market;
  const left = exitsLeft(orders, reports, { cause, at: market.at });
  return {
    ...before,
    ledger: applyEntryFunding(booked.ledger, booked.legs, { funding, graceMs }),
    instructions: [...before.instructions, ...booked.instructions],
    legs: [...before.legs, ...booked.legs],
    exits: [...before.exits, ...left],
    volumes: account.volumes,
  };
}

/** Nothing is sent here: intent is committed first (I3). */
function intend(
  before: readonly PendingOrder[],
  orders: readonly Order[],
): Pick<Booked, "instructions" | "pending"> {
  const instructions = orders.map((order): Instruction => ({
    ...order,
    status: "pending",
    reason: null,
    exchangeOrderId: null,
    filledQuantity: "0",
    averagePrice: null,
    fee: "0",
  }));
  const intended = instructions.map((order): PendingOrder => ({ ...order, fills: [] }));
  return { instructions, pending: [...before, ...intended] };
}

function planOrders(cycle: OpenCycle, items: PlanItem[]): NormalisedPlan {
  if (items.length === 0) return { orders: [], skipped: [] };
  const { channel, market, opening } = cycle;
  const limits: RiskLimits = {
    maxPositions: MAX_POSITIONS,
    maxLeverage: channel.maxLeverage,
    maxPositionQuantity: null,
  };
  return normalisePlan({
    composeId: cycle.composeId,
    items,
    ordersBefore: opening.settled.exits.length,
    ledger: opening.ledger,
    view: opening.view,
    market,
    marketType: channel.marketType,
    rulesOf: (symbol) => channel.rules(symbol),
    limits,
    takerFeeRate: channel.takerFeeRate,
    slippageRate: channel.slippageRate,
  });
}

function book(
  start: Ledger,
  orders: readonly Order[],
  reports: readonly ExecutionReport[],
): Pick<Booked, "instructions" | "ledger" | "legs"> {
  let ledger = start;
  const legs: TradeLeg[] = [];
  const instructions = orders.map((order, index) => {
    const report = reports[index];
    if (report === undefined || report.instructionId !== order.instructionId) {
      return answered(order, {
        instructionId: order.instructionId,
        status: "error",
        fills: [],
        reason: "the channel gave no answer to this order",
        exchangeOrderId: null,
      });
    }
    report.fills.forEach((fill, fillIndex) => {
      const booked = applyFill(ledger, fill, { instructionId: order.instructionId, fillIndex });
      ledger = booked.ledger;
      legs.push(...booked.legs);
    });
    return answered(order, report);
  });
  return { ledger, instructions, legs };
}

export function answered(order: Order, report: ExecutionReport): Instruction {
  const { exchangeOrderId, reason, status } = report;
  return { ...order, status, reason, exchangeOrderId, ...filledBy(report.fills) };
}

/** What fills come to. */
export function filledBy(
  fills: readonly Fill[],
): Pick<Instruction, "averagePrice" | "fee" | "filledQuantity"> {
  let quantity = 0n;
  let notional = 0n;
  let fee = 0n;
  for (const fill of fills) {
    const filled = fixed(fill.quantity);
    const price = fixed(fill.price);
    quantity += filled;
    // Not yet rounded: the average price of equal prices is that price.
    notional += filled * price;
    const paid = fixed(fill.fee.amount);
    fee += fill.fee.currency === "quote" ? paid : multiply(paid, price);
  }
  return {
    filledQuantity: fixedString(quantity),
    averagePrice: quantity === 0n ? null : fixedString(divideRounded(notional, quantity)),
    fee: fixedString(fee),
  };
}
