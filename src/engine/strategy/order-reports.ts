import type { Instruction, PendingOrder } from "#domain/cycle.ts";
import { fixed } from "#domain/fixed.ts";
import { applyFill } from "#domain/ledger.ts";
import type { OrderReport, VenueFill } from "#domain/order-report.ts";
import type { Ledger, TradeLeg } from "#domain/portfolio.ts";
import type { InstructionStatus } from "#domain/trading.ts";
import { conclude, type CycleOutcome, type OpenCycle } from "./cycle.ts";
import { filledBy, untouched, type Booked } from "./execution.ts";

/**
 * Books what the venue told of orders that are out, each fill once however often it is told. Null when
 * nothing of it is news.
 */
export function bookReports(
  cycle: OpenCycle,
  reports: readonly OrderReport[],
): CycleOutcome | null {
  const before = untouched(cycle);
  let { ledger } = before;
  const legs: TradeLeg[] = [];
  const answered: Instruction[] = [];
  const pending = before.pending.flatMap((order) => {
    const told = reports.filter(({ clientOrderId }) => clientOrderId === order.clientOrderId);
    const booked = told.reduce(bookReport, { order, ledger, legs: [], isNews: false });
    ledger = booked.ledger;
    legs.push(...booked.legs);
    if (booked.isNews) answered.push(instructionOf(booked.order));
    return booked.order.status === "pending" ? [booked.order] : [];
  });
  if (answered.length === 0) return null;
  const booked: Booked = { ...before, ledger, legs, answered, pending };
  return conclude(cycle, booked, {
    status: "completed",
    rationale: answered.map(inWords).join("\n"),
    decision: null,
    error: null,
  });
}

interface BookedOrder {
  order: PendingOrder;
  ledger: Ledger;
  legs: TradeLeg[];
  isNews: boolean;
}

function bookReport(before: BookedOrder, report: OrderReport): BookedOrder {
  const { order } = before;
  if (order.status !== "pending") return before;
  const news = newFills(order, report);
  let { ledger } = before;
  const legs = [...before.legs];
  news.forEach((fill, index) => {
    const ref = { instructionId: order.instructionId, fillIndex: order.fills.length + index };
    const booked = applyFill(ledger, fill, ref);
    ledger = booked.ledger;
    legs.push(...booked.legs);
  });
  const next = withFills(order, news, report);
  const isNews =
    news.length > 0 ||
    next.status !== order.status ||
    next.exchangeOrderId !== order.exchangeOrderId;
  return { order: next, ledger, legs, isNews: before.isNews || isNews };
}

function newFills(order: PendingOrder, { fills }: OrderReport): VenueFill[] {
  const known = new Set(order.fills.map(({ tradeId }) => tradeId));
  return fills.filter(({ tradeId }) => {
    const isKnown = known.has(tradeId);
    known.add(tradeId);
    return !isKnown;
  });
}

function withFills(
  order: PendingOrder,
  news: readonly VenueFill[],
  report: OrderReport,
): PendingOrder {
  const fills = [...order.fills, ...news];
  const exchangeOrderId = report.exchangeOrderId ?? order.exchangeOrderId;
  const next = { ...order, fills, exchangeOrderId, ...filledBy(fills) };
  const status = statusOf(next, report);
  return { ...next, status, reason: status === "filled" ? null : report.reason };
}

/** An order is over by what it filled and by being final, not by the word the venue has for it. */
function statusOf(
  { filledQuantity, quantity }: PendingOrder,
  { status }: OrderReport,
): InstructionStatus {
  const filled = fixed(filledQuantity);
  if (filled >= fixed(quantity)) return "filled";
  // A venue may say `filled` before it tells of all the fills; they come with a later report.
  if (status === "open" || status === "filled") return "pending";
  return filled > 0n ? "partial" : "rejected";
}

function instructionOf({ fills: _, ...instruction }: PendingOrder): Instruction {
  return instruction;
}

function inWords(order: Instruction): string {
  const { averagePrice, filledQuantity, quantity, reason, side, status, symbol } = order;
  const at = averagePrice === null ? "" : ` at ${averagePrice}`;
  const why = reason === null ? "" : `: ${reason}`;
  return `${status}: ${side} ${filledQuantity} of ${quantity} ${symbol}${at}${why}`;
}
