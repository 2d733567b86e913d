// What one strategy does in one cycle, as plain functions: value the portfolio, decide, normalise,
// execute, book, and build the record the journal stores. Nothing here is committed or remembered.
import type { Cycle, CycleCause, Instruction } from "#domain/cycle.ts";
import type { Decision, DecisionInput, Protection } from "#domain/decision.ts";
import type { Definition } from "#domain/definition.ts";
import { InvariantError } from "#domain/errors.ts";
import { divideRounded, fixed, fixedString, multiply } from "#domain/fixed.ts";
import { composeIdOf, seedOf } from "#domain/ids.ts";
import { applyFill, applyFunding, valuePortfolio } from "#domain/ledger.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { closeAllItems, normalisePlan, type NormalisedPlan } from "#domain/orders.ts";
import { liquidations, PAPER_LIQUIDATION } from "#domain/perpetual.ts";
import type { Ledger, PortfolioView, TradeLeg } from "#domain/portfolio.ts";
import { triggeredProtections } from "#domain/protections.ts";
import type { StopReason } from "#domain/strategy.ts";
import type { Tick } from "#domain/tick.ts";
import type { ExecutionReport, Order, PlanItem, RiskLimits } from "#domain/trading.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import type { ValuationOptions } from "#domain/valuation.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";

/** A cycle under way. In memory only: after a crash it never happened. */
export interface CycleFrame {
  context: StrategyContext;
  definition: Definition;
  channel: TradeChannel;
  /** Null for a cycle no tick caused. */
  tick: Tick | null;
  cause: CycleCause;
  composeId: string;
  market: MarketSnapshot;
  paramsVersion: number;
  /** Timer reading at the start, ms. */
  startedAt: number;
  opening: Opening;
}

/** The strategy's money at the tick's prices, before it decides. */
export interface Opening {
  ledger: Ledger;
  view: PortfolioView;
  /** Exits its protections demand at these prices. */
  exits: PlanItem[];
}

/** A finished cycle and the state it leads to. */
export interface CycleOutcome {
  cycle: Cycle;
  value: "running" | "stopped";
  context: StrategyContext;
  stopReason: StopReason | null;
  stopReasonDetail: string | null;
}

export interface CycleError {
  code: string;
  message: string;
}

const MAX_POSITIONS = 5;

export function openCycle(request: Omit<CycleFrame, "opening" | "composeId">): CycleFrame {
  const { context, tick, market } = request;
  const key =
    tick === null ? `${request.cause}/${context.stop?.commandId ?? ""}` : `tick/${tick.id}`;
  const funded = settleFunding(context.ledger, market, context.lastTickFor);
  const { ledger, view } = valuePortfolio(funded, market, valuationOf(request.channel));
  return {
    ...request,
    composeId: composeIdOf(context.strategyId, key),
    opening: { ledger, view, exits: forcedExits(context, ledger, market) },
  };
}

/** Liquidations first, then the protections of what is left. */
function forcedExits(context: StrategyContext, ledger: Ledger, market: MarketSnapshot): PlanItem[] {
  const liquidated =
    ledger.marketType === "spot" ? [] : liquidations(ledger, market, PAPER_LIQUIDATION);
  const gone = new Set(liquidated.map(({ symbol }) => symbol));
  const protections = context.protections.filter(({ symbol }) => !gone.has(symbol));
  const triggered =
    protections.length === 0 ? [] : triggeredProtections(protections, ledger, market);
  return [...liquidated, ...triggered].map(({ item }) => item);
}

function valuationOf(channel: TradeChannel): ValuationOptions {
  return { maxLeverage: channel.maxLeverage, liquidation: PAPER_LIQUIDATION };
}

/** All that the decision may depend on (I15). */
export function decisionInput<Params>(
  frame: CycleFrame,
  analysis: DecisionInput<Params>["analysis"],
  params: Params,
): DecisionInput<Params> {
  const { tick, definition, channel, context, market, opening } = frame;
  const id = tick?.id ?? frame.composeId;
  return {
    tick: { id, scheduledFor: tick?.scheduledFor ?? market.at },
    symbols: definition.symbols,
    agents: definition.agents,
    analysis,
    market,
    marketType: channel.marketType,
    portfolio: opening.view,
    params,
    state: context.decisionState,
    seed: seedOf(context.strategyId, id),
  };
}

/** Carries the decision out: protections first, then the plan; ends with the record to commit. */
export function executeDecision(
  frame: CycleFrame,
  decision: Decision,
): CycleOutcome | Promise<CycleOutcome> {
  const exits = frame.opening.exits;
  const exiting = new Set(exits.map((item) => item.symbol));
  // A symbol its protection closes is not traded again in the same cycle.
  const wanted = decision.items.filter((item) => !exiting.has(item.symbol));
  return trade(frame, [...exits, ...wanted], (booked) =>
    conclude(frame, booked, {
      status: "completed",
      rationale: decision.rationale,
      decision,
      error: null,
      value: "running",
    }),
  );
}

/** Closes every position because of a stop; ends in `stopped`, honest about what stayed open. */
export function executeClosing(frame: CycleFrame): CycleOutcome | Promise<CycleOutcome> {
  const items = closeAllItems(frame.opening.ledger);
  const reason = frame.context.stop?.reason ?? "stop";
  return trade(frame, items, (booked) =>
    conclude(frame, booked, {
      status: "completed",
      rationale: `closing all positions: ${reason}`,
      decision: null,
      error: null,
      value: "stopped",
    }),
  );
}

/** No decision, so no order of its own; what protects the money still acts (I12). */
export function executeFailure(
  frame: CycleFrame,
  error: CycleError,
): CycleOutcome | Promise<CycleOutcome> {
  return trade(frame, frame.opening.exits, (booked) => failed(frame, booked, error));
}

/** The record of a cycle that could do nothing at all: no orders, decision state untouched. */
export function failCycle(frame: CycleFrame, error: CycleError): CycleOutcome {
  const untouched = { ledger: frame.opening.ledger, instructions: [], legs: [], skipped: [] };
  return failed(frame, untouched, error);
}

function failed(frame: CycleFrame, booked: Booked, error: CycleError): CycleOutcome {
  return conclude(frame, booked, {
    status: "failed",
    rationale: `${frame.cause === "stop" ? "positions not closed" : "no decision"}: ${error.message}`,
    decision: null,
    error,
    value: frame.cause === "stop" ? "stopped" : "running",
  });
}

interface Booked {
  ledger: Ledger;
  instructions: Instruction[];
  legs: TradeLeg[];
  /** What was wanted and left no order, with the reason. */
  skipped: NormalisedPlan["skipped"];
}

function trade(
  frame: CycleFrame,
  items: PlanItem[],
  finish: (booked: Booked) => CycleOutcome,
): CycleOutcome | Promise<CycleOutcome> {
  const { channel, market, opening } = frame;
  const { orders, skipped } = planOrders(frame, items);
  if (orders.length === 0) {
    return finish({ ledger: opening.ledger, instructions: [], legs: [], skipped });
  }
  if (channel.kind === "live") throw new InvariantError(`${channel.name} takes no orders yet`);
  const reports = channel.execute(orders, market);
  return reports instanceof Promise
    ? reports.then((answers) => finish({ ...book(opening.ledger, orders, answers), skipped }))
    : finish({ ...book(opening.ledger, orders, reports), skipped });
}

function planOrders(frame: CycleFrame, items: PlanItem[]): NormalisedPlan {
  if (items.length === 0) return { orders: [], skipped: [] };
  const { channel, market, opening } = frame;
  const limits: RiskLimits = {
    maxPositions: MAX_POSITIONS,
    maxLeverage: channel.maxLeverage,
    maxPositionQuantity: null,
  };
  return normalisePlan({
    composeId: frame.composeId,
    items,
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
): Omit<Booked, "skipped"> {
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

function answered(order: Order, report: ExecutionReport): Instruction {
  let quantity = 0n;
  let notional = 0n;
  let fee = 0n;
  for (const fill of report.fills) {
    const filled = fixed(fill.quantity);
    const price = fixed(fill.price);
    quantity += filled;
    // Not yet rounded: the average price of equal prices is that price.
    notional += filled * price;
    const paid = fixed(fill.fee.amount);
    fee += fill.fee.currency === "quote" ? paid : multiply(paid, price);
  }
  return {
    ...order,
    status: report.status,
    reason: report.reason,
    exchangeOrderId: report.exchangeOrderId,
    filledQuantity: fixedString(quantity),
    averagePrice: quantity === 0n ? null : fixedString(divideRounded(notional, quantity)),
    fee: fixedString(fee),
  };
}

interface Ending {
  status: Cycle["status"];
  rationale: string;
  decision: Decision | null;
  error: CycleError | null;
  value: "running" | "stopped";
}

function conclude(frame: CycleFrame, booked: Booked, ending: Ending): CycleOutcome {
  const { context, tick, market, opening } = frame;
  const { decision } = ending;
  const { ledger, view } =
    booked.ledger === opening.ledger
      ? opening
      : valuePortfolio(booked.ledger, market, valuationOf(frame.channel));
  const cycleIndex = context.cycleIndex + 1;
  const next: StrategyContext = {
    strategyId: context.strategyId,
    ledger,
    decisionState: decision === null ? context.decisionState : decision.state,
    protections: (decision?.protections ?? context.protections).filter(
      (protection) => ledger.positions[protection.symbol] !== undefined,
    ),
    cycleIndex,
    lastTickFor: tick?.scheduledFor ?? context.lastTickFor,
    pending: null,
    stop: null,
  };
  return {
    cycle: {
      composeId: frame.composeId,
      strategyId: context.strategyId,
      tickId: tick?.id ?? null,
      cause: frame.cause,
      cycleIndex,
      composeTime: market.at,
      status: ending.status,
      rationale: withRefusals(ending.rationale, booked),
      decision: decision === null ? null : recorded(decision, next.protections),
      stateBefore: context.decisionState,
      paramsVersion: frame.paramsVersion,
      definitionVersion: frame.definition.version,
      error: ending.error,
      durationMs: 0,
      instructions: booked.instructions,
      legs: booked.legs,
      view,
      ledger,
    },
    value: ending.value,
    context: next,
    ...stopOf(ending.value, view),
  };
}

/** With the protections now in force, so that the next cycle can be decided again (I15). */
function recorded(
  { signal, items, warnings, details }: Decision,
  protections: Protection[],
): Cycle["decision"] {
  return { signal, items, warnings, details, protections };
}

function stopOf(
  value: "running" | "stopped",
  view: PortfolioView,
): Pick<CycleOutcome, "stopReason" | "stopReasonDetail"> {
  if (value === "running") return { stopReason: null, stopReasonDetail: null };
  if (view.holdings.length === 0) return { stopReason: "normal_exit", stopReasonDetail: null };
  const exposure = view.holdings.map(({ quantity, symbol }) => `${quantity} ${symbol}`).join(", ");
  return {
    stopReason: "error_closing_positions",
    stopReasonDetail: `still open: ${exposure}, gross exposure ${view.grossExposure}`,
  };
}

/** What was wanted and did not happen, or only in part, belongs to the story of the cycle. */
function withRefusals(rationale: string, { instructions, skipped }: Booked): string {
  const refused = instructions.filter(({ status }) => status !== "filled");
  if (refused.length === 0 && skipped.length === 0) return rationale;
  const lines = [
    ...refused.map(
      ({ status, side, quantity, symbol, reason }) =>
        `- ${status}: ${side} ${quantity} ${symbol}: ${reason ?? "no reason given"}`,
    ),
    ...skipped.map(
      ({ item, reason }) =>
        `- not ordered: ${item.action} ${item.quantity} ${item.symbol}: ${reason}`,
    ),
  ];
  return `${rationale}\n${lines.join("\n")}`;
}

function settleFunding(ledger: Ledger, market: MarketSnapshot, lastTickFor: number | null): Ledger {
  if (ledger.marketType === "spot") return ledger;
  const due = market.funding.filter(({ at }) => lastTickFor === null || at > lastTickFor);
  return due.reduce((current, event) => applyFunding(current, event), ledger);
}
