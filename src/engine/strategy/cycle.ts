// What one strategy does in one cycle, as plain functions: value the portfolio, decide, normalise,
// execute, book, and build the record the journal stores. Nothing here is committed or remembered.
import type { Analysis } from "#domain/analysis.ts";
import { BarVolumes } from "#domain/bar-volumes.ts";
import type { Cycle, CycleCause, Instruction } from "#domain/cycle.ts";
import type { Decision, DecisionInput, Protection } from "#domain/decision.ts";
import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import type { FillState } from "#domain/exit.ts";
import { fillStateAfter } from "#domain/fill-state.ts";
import { fixed } from "#domain/fixed.ts";
import { composeIdOf, seedOf } from "#domain/ids.ts";
import { applyFunding, valuePortfolio } from "#domain/ledger.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { closeAllItems } from "#domain/orders.ts";
import { PAPER_LIQUIDATION } from "#domain/perpetual.ts";
import { SkipReason } from "#domain/plan-step.ts";
import type { Ledger, PortfolioView } from "#domain/portfolio.ts";
import { triggeredProtections } from "#domain/protections.ts";
import { settleExits, type Settlement } from "#domain/settle-exits.ts";
import type { Tick } from "#domain/tick.ts";
import type { Order, PlanItem } from "#domain/trading.ts";
import type { CheckedParams, RecordedCycle, StrategyContext } from "#machines/strategy.machine.ts";
import type { ValuationOptions } from "#domain/valuation.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import type { PaperChannel, TradeChannel } from "#ports/trade-channel.ts";
import { checkDecision } from "./decision-check.ts";
import { answered, trade, untouched, type Booked } from "./execution.ts";

/** A cycle under way. In memory only: after a crash it never happened. */
export interface OpenCycle {
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
  /** After funding and, on paper, the exits of the time since the last look. */
  ledger: Ledger;
  view: PortfolioView;
  /** On paper: what those exits did. */
  settled: Settlement;
  /** On paper: what bars still have to give; null until the first order asks. */
  volumes: BarVolumes | null;
  /** Live: exits its protections demand at these prices; the venue is still to be asked. */
  exits: PlanItem[];
}

/** A finished cycle: what the machine hears of it and what is stored of it. */
export interface CycleOutcome {
  recorded: RecordedCycle;
  cycle: Cycle;
}

export interface CycleError {
  code: string;
  message: string;
}

/** What came of deciding; a failure is a result like any other. */
export type Verdict = { decision: Decision } | { error: CycleError };

export function openCycle(request: Omit<OpenCycle, "opening" | "composeId">): OpenCycle {
  const { channel, context, market } = request;
  const composeId = composeIdOf(context.strategyId, identityOf(request));
  const { settled, volumes } =
    channel.kind === "paper"
      ? settleOnPaper({ ...request, composeId }, channel)
      : { settled: settleFunding(request), volumes: null };
  const { ledger, view } = valuePortfolio(settled.ledger, market, valuationOf(channel));
  const exits = channel.kind === "live" ? protectiveItems(context, ledger, market) : [];
  return { ...request, composeId, opening: { ledger, view, settled, volumes, exits } };
}

function settleOnPaper(
  { cause, composeId, context, market }: Omit<OpenCycle, "opening">,
  channel: PaperChannel,
): Pick<Opening, "settled" | "volumes"> {
  const { fills, lastTickFor, ledger, protections } = context;
  let volumes: BarVolumes | null = null;
  const settled = settleExits({
    composeId,
    ledger,
    protections,
    // A stop closes everything at the price of now: what was under way is part of that.
    exits: cause === "stop" ? [] : (fills?.exits ?? []),
    market,
    seenUntil: fills?.seenUntil ?? lastTickFor,
    terms: channel.terms,
    rulesOf: (symbol) => channel.rules(symbol),
    volumes: () => (volumes ??= new BarVolumes(channel.terms.volumeShare, fills?.taken)),
  });
  return { settled, volumes };
}

/** What makes a cycle the same one when it is done again (I2). */
function identityOf({ cause, context, tick }: Pick<OpenCycle, "cause" | "context" | "tick">) {
  if (tick !== null) return `tick/${tick.id}`;
  // A command closes once; the venue's reports have nothing of their own but their place.
  if (cause === "order") return `order/${context.cycleIndex + 1}`;
  return `${cause}/${context.stop?.commandId ?? ""}`;
}

/** A live venue liquidates by itself. */
function protectiveItems(
  { protections }: StrategyContext,
  ledger: Ledger,
  market: MarketSnapshot,
): PlanItem[] {
  if (protections.length === 0) return [];
  return triggeredProtections(protections, ledger, market).map(({ item }) => item);
}

function valuationOf(channel: TradeChannel): ValuationOptions {
  return { maxLeverage: channel.maxLeverage, liquidation: PAPER_LIQUIDATION };
}

/** All that the decision may depend on (I15). */
function decisionInput<Params>(
  cycle: OpenCycle,
  analysis: DecisionInput<Params>["analysis"],
  params: Params,
): DecisionInput<Params> {
  const { tick, definition, channel, context, market, opening } = cycle;
  const id = tick?.id ?? cycle.composeId;
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

/** Params as `read` gives them; what it throws is why they were refused. */
export function checkParams(read: () => unknown): CheckedParams {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    return { ok: false, error: toCycleError(error) };
  }
}

/** Asks the agent; whatever goes wrong is part of the answer. */
export function decideCycle(
  cycle: OpenCycle,
  agent: DecisionAgent,
  given: { analysis: Analysis; params: CheckedParams },
): Verdict | Promise<Verdict> {
  if (!given.params.ok) return { error: given.params.error };
  try {
    const decided = agent.decide(decisionInput(cycle, given.analysis, given.params.value));
    return decided instanceof Promise ? decided.then(verdictOf, refusalOf) : { decision: decided };
  } catch (error) {
    return refusalOf(error);
  }
}

const verdictOf = (decision: Decision): Verdict => ({ decision });
const refusalOf = (error: unknown): Verdict => ({ error: toCycleError(error) });

/** Carries a verdict out; a cycle that cannot be is recorded as failed, with the reason. */
export function finishCycle(
  cycle: OpenCycle,
  verdict: Verdict,
): CycleOutcome | Promise<CycleOutcome> {
  const failure = (error: unknown): CycleOutcome => failCycle(cycle, toCycleError(error));
  try {
    const outcome =
      "decision" in verdict
        ? executeDecision(cycle, checkDecision(verdict.decision))
        : executeFailure(cycle, verdict.error);
    return outcome instanceof Promise ? outcome.catch(failure) : outcome;
  } catch (error) {
    return failure(error);
  }
}

/** Carries the decision out: protections first, then the plan; ends with the record to commit. */
function executeDecision(
  cycle: OpenCycle,
  decision: Decision,
): CycleOutcome | Promise<CycleOutcome> {
  const { exits } = cycle.opening;
  const exiting = exitingSymbols(cycle);
  // A symbol that an exit closes, or is closing, is not traded again in the same cycle.
  const wanted = decision.items.filter(({ symbol }) => !exiting.has(symbol));
  const refused = decision.items
    .filter(({ action, symbol }) => exiting.has(symbol) && action !== "noop")
    .map((item) => ({ item, reason: SkipReason.exiting }));
  return trade(cycle, { items: [...exits, ...wanted], cause: "signal" }, (booked) =>
    conclude(
      cycle,
      { ...booked, skipped: [...booked.skipped, ...refused] },
      { status: "completed", rationale: decision.rationale, decision, error: null },
    ),
  );
}

function exitingSymbols({ opening: { exits, settled } }: OpenCycle): Set<string> {
  const symbols = new Set<string>();
  for (const { symbol } of exits) symbols.add(symbol);
  for (const { symbol } of settled.open) symbols.add(symbol);
  for (const { order } of settled.exits) symbols.add(order.symbol);
  return symbols;
}

/** What is held and not yet on its way out. */
function closingItems(cycle: OpenCycle): PlanItem[] {
  const exiting = exitingSymbols(cycle);
  return closeAllItems(cycle.opening.ledger).filter(({ symbol }) => !exiting.has(symbol));
}

/** Closes every position because of a stop. */
export function executeClosing(cycle: OpenCycle): CycleOutcome | Promise<CycleOutcome> {
  const items = [...cycle.opening.exits, ...closingItems(cycle)];
  const reason = cycle.context.stop?.reason ?? "stop";
  return trade(cycle, { items, cause: "stop" }, (booked) =>
    conclude(cycle, booked, {
      status: "completed",
      rationale: `closing all positions: ${reason}`,
      decision: null,
      error: null,
    }),
  );
}

/**
 * A tick that decides nothing: it meets orders out, or a strategy that is to stop once its exits are
 * done. What protects the money still acts (I12): it closes what it must, and what would open more of
 * the same is not wanted any more.
 */
export function skipCycle(cycle: OpenCycle): CycleOutcome | Promise<CycleOutcome> {
  const pending = cycle.context.pending ?? [];
  const { stop } = cycle.context;
  if (pending.length === 0 && stop !== null) return goOnClosing(cycle, stop.reason);
  const leaving = new Set(pending.filter(closes).map(({ symbol }) => symbol));
  const items = cycle.opening.exits.filter(({ symbol }) => !leaving.has(symbol));
  const exiting = new Set(items.map(({ symbol }) => symbol));
  const unwanted = pending.filter((order) => exiting.has(order.symbol) && !closes(order));
  const ids = pending.map(({ side, quantity, symbol }) => `${side} ${quantity} ${symbol}`);
  return trade(cycle, { items, cause: "stop_loss" }, (booked) =>
    conclude(cycle, booked, {
      status: "skipped",
      rationale: `skipped: not yet answered: ${ids.join(", ")}`,
      decision: null,
      error: null,
      unwanted: unwanted.map(({ instructionId }) => instructionId),
    }),
  );
}

function goOnClosing(cycle: OpenCycle, reason: string): CycleOutcome | Promise<CycleOutcome> {
  return trade(cycle, { items: closingItems(cycle), cause: "stop" }, (booked) =>
    conclude(cycle, booked, {
      status: "skipped",
      rationale: `skipped: closing all positions: ${reason}`,
      decision: null,
      error: null,
    }),
  );
}

const closes = ({ action }: Pick<Order, "action">): boolean =>
  action === "close_long" || action === "close_short";

/** No decision, so no order of its own; what protects the money still acts (I12). */
function executeFailure(cycle: OpenCycle, error: CycleError): CycleOutcome | Promise<CycleOutcome> {
  const items = cycle.opening.exits;
  return trade(cycle, { items, cause: "stop_loss" }, (booked) => failed(cycle, booked, error));
}

/**
 * The record of a cycle that could do nothing more: no orders, decision state untouched. Exits on
 * paper have acted before, and an exit is not taken back (I12).
 */
export function failCycle(cycle: OpenCycle, error: CycleError): CycleOutcome {
  return failed(cycle, untouched(cycle), error);
}

function failed(cycle: OpenCycle, booked: Booked, error: CycleError): CycleOutcome {
  return conclude(cycle, booked, {
    status: "failed",
    rationale: `${cycle.cause === "stop" ? "positions not closed" : "no decision"}: ${error.message}`,
    decision: null,
    error,
  });
}

interface Ending {
  status: Cycle["status"];
  rationale: string;
  decision: Decision | null;
  error: CycleError | null;
  /** Instruction ids of pending orders that are no longer wanted. */
  unwanted?: string[];
}

/** The record of a cycle, and what the machine hears of it. */
export function conclude(cycle: OpenCycle, booked: Booked, ending: Ending): CycleOutcome {
  const { context, tick, market, opening } = cycle;
  const { decision } = ending;
  const { ledger, view } =
    booked.ledger === opening.ledger
      ? opening
      : valuePortfolio(booked.ledger, market, valuationOf(cycle.channel));
  const protections = (decision?.protections ?? context.protections).filter(
    ({ symbol }) =>
      ledger.positions[symbol] !== undefined ||
      booked.pending.some((order) => order.symbol === symbol),
  );
  const known = context.pending?.length ?? 0;
  const fillsBefore = context.fills;
  const fills = fillsAfter(cycle, booked, ledger);
  return {
    recorded: {
      cause: cycle.cause,
      tickFor: tick?.scheduledFor ?? null,
      ledger,
      decisionState: decision === null ? context.decisionState : decision.state,
      protections,
      pending: booked.pending.length === 0 ? null : booked.pending,
      intended: booked.instructions.some(isPending) ? booked.pending.slice(known) : [],
      unwanted: ending.unwanted ?? [],
      fills,
      hasEnded: hasEnded(view, booked),
    },
    cycle: {
      composeId: cycle.composeId,
      strategyId: context.strategyId,
      tickId: tick?.id ?? null,
      cause: cycle.cause,
      cycleIndex: context.cycleIndex + 1,
      composeTime: market.at,
      status: ending.status,
      rationale: withRefusals(withExits(ending.rationale, opening.settled), booked),
      decision: decision === null ? null : recorded(decision, protections),
      stateBefore: context.decisionState,
      ...(fillsBefore === undefined ? {} : { fillsBefore }),
      paramsVersion: cycle.paramsVersion,
      definitionVersion: cycle.definition.version,
      error: ending.error,
      durationMs: 0,
      instructions: booked.instructions,
      answered: booked.answered,
      legs: booked.legs,
      view,
      ledger,
    },
  };
}

/** Only on paper: a live venue's exits are orders that are out. */
function fillsAfter(
  { channel, context, market, tick }: OpenCycle,
  { exits, volumes }: Booked,
  ledger: Ledger,
): FillState | null {
  if (channel.kind === "live") return null;
  const lastTickFor = tick?.scheduledFor ?? context.lastTickFor;
  return fillStateAfter({ before: context.fills, exits, volumes, market, ledger, lastTickFor });
}

/** Nothing is held, out or left: only a liquidation leaves an account like that. */
function hasEnded({ holdings, totalValue }: PortfolioView, { pending }: Booked): boolean {
  return holdings.length === 0 && pending.length === 0 && fixed(totalValue) <= 0n;
}

/** What happened before the decision comes first: it is what moved the money. */
function withExits(rationale: string, { exits }: Settlement): string {
  if (exits.length === 0) return rationale;
  const lines = exits.map(({ order, report }) => {
    const { averagePrice, filledQuantity } = answered(order, report);
    const done = order.side === "SELL" ? "sold" : "bought back";
    const at = averagePrice === null ? "" : ` at ${averagePrice}`;
    return `${order.note}: ${done} ${filledQuantity} of ${order.quantity} ${order.symbol}${at}.`;
  });
  return `${lines.join("\n")}\n${rationale}`;
}

const isPending = ({ status }: Instruction): boolean => status === "pending";

/** With the protections now in force, so that the next cycle can be decided again (I15). */
function recorded(
  { signal, items, warnings, details }: Decision,
  protections: Protection[],
): Cycle["decision"] {
  return { signal, items, warnings, details, protections };
}

/** What was wanted and did not happen, or only in part, belongs to the story of the cycle. */
function withRefusals(rationale: string, { instructions, skipped }: Booked): string {
  const refused = instructions.filter(({ status }) => status !== "filled" && status !== "pending");
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

/** An unknown thrown value as what a failed cycle stores. */
export function toCycleError(error: unknown): CycleError {
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string"
      ? error.code
      : "DECISION_FAILED";
  return { code, message: errorMessage(error) };
}

/** Live: the venue has settled it; what it did to the money is booked here. */
function settleFunding({ context, market }: Pick<OpenCycle, "context" | "market">): Settlement {
  const { lastTickFor, ledger } = context;
  const due = market.funding.filter(({ at }) => lastTickFor === null || at > lastTickFor);
  const funded = due.reduce((current, event) => applyFunding(current, event), ledger);
  return { ledger: funded, exits: [], legs: [], open: [] };
}
