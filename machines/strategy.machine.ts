import { assign, setup } from "xstate";
import type { CycleCause, PendingOrder } from "#domain/cycle.ts";
import type { Decision, Protection } from "#domain/decision.ts";
import type { FillState } from "#domain/exit.ts";
import type { JsonObject } from "#domain/json.ts";
import type { OrderReport } from "#domain/order-report.ts";
import type { Ledger } from "#domain/portfolio.ts";
import type { TickInput } from "#domain/tick.ts";

export interface StopRequest {
  commandId: string;
  closePositions: boolean;
  reason: string;
}

/** A stop asked for and not yet carried out. */
export interface RememberedStop extends StopRequest {
  /** Its closing orders are recorded: what they leave open stays open. */
  isClosing: boolean;
}

/** What must survive a crash, and nothing else: plain JSON, decimals as strings. */
export interface StrategyContext {
  strategyId: string;
  ledger: Ledger;
  /** What the last decision left for the next (streak counters and the like). */
  decisionState: JsonObject | null;
  protections: Protection[];
  /** What earlier fills left: exits that go on, volume taken. Absent where there is nothing. */
  fills?: FillState;
  /** Recorded cycles so far. */
  cycleIndex: number;
  /** `scheduledFor` of the newest recorded tick, ms UTC: a tick is recorded once (I2). */
  lastTickFor: number | null;
  /** Orders committed as intent and not known to be over (live channels, I3); never empty. */
  pending: PendingOrder[] | null;
  stop: RememberedStop | null;
}

/**
 * What one message makes of one strategy. The machine hands it on to its effects, which leave with it
 * what is to be committed.
 */
export interface Turn {
  readonly strategyId: string;
}

/** Params as the decision agent's schema read them, or why it refused them. */
export type CheckedParams =
  | { ok: true; value: unknown }
  | { ok: false; error: { code: string; message: string } };

/** A cycle as it is recorded: the state it leads to is the machine's to say. */
export interface RecordedCycle {
  cause: CycleCause;
  /** `scheduledFor` of its tick, ms UTC; null when no tick caused it. */
  tickFor: number | null;
  ledger: Ledger;
  decisionState: JsonObject | null;
  protections: Protection[];
  /** All orders that are out after it; null when there is none. */
  pending: PendingOrder[] | null;
  /** Those of them that it has made and nobody has sent yet. */
  intended: PendingOrder[];
  /** Instruction ids of orders of earlier cycles that are no longer wanted. */
  unwanted: string[];
  /** Null where there is nothing to remember. */
  fills: FillState | null;
  /** The account has come to its end: nothing is held and nothing is left. */
  hasEnded: boolean;
}

interface InTurn {
  turn: Turn;
}

export type StrategyEvent =
  // ------------------------------------------------------------ begin work, change nothing durable
  /** The group's analysis, with the strategy's own params: never part of the snapshot. */
  | ({ type: "TICK"; tick: TickInput; params: CheckedParams; paramsVersion: number } & InTurn)
  | ({ type: "DECIDED"; decision: Decision } & InTurn)
  | ({ type: "DECISION_FAILED"; error: { code: string; message: string } } & InTurn)
  /** The venue told of orders. */
  | ({ type: "REPORTED"; reports: OrderReport[] } & InTurn)
  /** Restored after its process ended in the middle of a phase. */
  | { type: "RESTORED" }
  /** Restored with orders out, which its shard's holder has to look after from now on. */
  | ({ type: "RECOVER" } & InTurn)
  // ------------------------------------------------------------ committed before the actor takes them
  | ({ type: "RECORDED" } & RecordedCycle & InTurn)
  | ({ type: "STOP" } & StopRequest & InTurn)
  | { type: "CANCEL"; reason: string }
  | { type: "RESUME" };

type EventOf<Type extends StrategyEvent["type"]> = Extract<StrategyEvent, { type: Type }>;
type Given<Type extends StrategyEvent["type"]> = { context: StrategyContext; event: EventOf<Type> };

interface DecideParams extends InTurn {
  context: StrategyContext;
  tick: TickInput;
  params: CheckedParams;
  paramsVersion: number;
}
interface ExecuteParams extends InTurn {
  decision: Decision;
}
interface FailParams extends InTurn {
  error: { code: string; message: string };
}
interface CloseParams extends InTurn {
  context: StrategyContext;
}
interface BookParams extends InTurn {
  context: StrategyContext;
  reports: OrderReport[];
}
interface OrdersParams extends InTurn {
  orders: readonly PendingOrder[];
}

/**
 * One strategy's life, and the one place that says what its next state is. It asks for effects by the
 * actions named here, which the engine provides and which get all they need as params; their results
 * come back as events, so a failure is an event too.
 *
 * Two kinds of events: those that begin work take the actor into a phase (`composing`, or `executing`
 * without orders out), which is in memory only and never stored; the others lead to a state that is
 * stored. Of them the engine computes the next snapshot with `transition()`, commits it, and only then
 * sends the event to the actor (I5): an effect of such an event runs after its commit.
 */
export const strategyMachine = setup({
  types: {
    context: {} as StrategyContext,
    input: {} as StrategyContext,
    events: {} as StrategyEvent,
  },
  actions: {
    /** Values the portfolio and decides; answers with DECIDED or DECISION_FAILED. */
    decide: (_, _params: DecideParams) => undefined,
    /** Carries the decision out; ends in RECORDED. */
    execute: (_, _params: ExecuteParams) => undefined,
    /** Carries out what acts without a decision; ends in RECORDED. */
    fail: (_, _params: FailParams) => undefined,
    /** Closes all positions; ends in RECORDED. */
    close: (_, _params: CloseParams) => undefined,
    /** A tick that meets orders out: lets protections act and records it as skipped. */
    skip: (_, _params: Omit<DecideParams, "params">) => undefined,
    /** Books what the venue told; ends in RECORDED unless it was known. */
    book: (_, _params: BookParams) => undefined,
    /** Sends orders whose intent is committed. */
    placeOrders: (_, _params: OrdersParams) => undefined,
    cancelOrders: (_, _params: OrdersParams) => undefined,
    /** Asks for orders of an earlier process before anything is sent (I4). */
    findOrders: (_, _params: OrdersParams) => undefined,
    rememberStop: assign({
      stop: ({ context, event }) => (event.type === "STOP" ? rememberedStop(event) : context.stop),
    }),
    // What only the stop was closing is not closed any more.
    forgetStop: assign(({ context }) => withoutStop(context)),
    takeRecorded: assign(({ context, event }) =>
      event.type === "RECORDED" ? afterRecorded(context, event) : context,
    ),
  },
  guards: {
    isNewTick: ({ context, event }) => event.type === "TICK" && isNewTick(context, event.tick),
    isNewTickWithOrdersOut: ({ context, event }) =>
      event.type === "TICK" && context.pending !== null && isNewTick(context, event.tick),
    hasPositionsToClose: ({ context, event }) =>
      event.type === "STOP" && event.closePositions && hasPositions(context.ledger),
    /** Its exits go on from tick to tick; it stops when they are done. */
    isClosing: ({ context }) => isClosing(context),
    isNewTickWhileClosing: ({ context, event }) =>
      event.type === "TICK" && isClosing(context) && isNewTick(context, event.tick),
    isStopUnderWay: ({ context, event }) =>
      event.type === "STOP" && isClosing(context) && event.commandId === context.stop?.commandId,
    hasAccountEnded: ({ event }) => event.type === "RECORDED" && event.hasEnded,
    leavesExitsUnderWay: ({ context, event }) =>
      event.type === "RECORDED" && isClosing(afterRecorded(context, event)),
    leavesOrdersOut: ({ event }) => event.type === "RECORDED" && event.pending !== null,
    mustStillClose: ({ context, event }) =>
      event.type === "RECORDED" &&
      context.stop !== null &&
      context.stop.closePositions &&
      !context.stop.isClosing &&
      event.cause !== "stop" &&
      hasPositions(event.ledger),
    isStopRemembered: ({ context }) => context.stop !== null,
    hasOrdersOut: ({ context }) => context.pending !== null,
    hasNoOrdersOut: ({ context }) => context.pending === null,
  },
}).createMachine({
  id: "strategy",
  context: ({ input }) => input,
  initial: "running",
  states: {
    running: {
      on: {
        TICK: [
          { guard: "isNewTickWhileClosing", target: "executing", actions: skip() },
          { guard: "isNewTick", target: "composing", actions: decide() },
        ],
        STOP: [
          { guard: "isStopUnderWay" },
          {
            guard: "hasPositionsToClose",
            target: "executing",
            actions: ["rememberStop", close()],
          },
          { target: "stopped" },
        ],
        CANCEL: "cancelled",
        // Its actor failed in this cycle, and a fresh one takes the failure as recorded for it.
        RECORDED: { actions: "takeRecorded" },
      },
    },
    composing: {
      on: {
        DECIDED: {
          target: "executing",
          actions: {
            type: "execute",
            params: ({ event: { decision, turn } }: Given<"DECIDED">) => ({ decision, turn }),
          },
        },
        DECISION_FAILED: {
          target: "executing",
          actions: {
            type: "fail",
            params: ({ event: { error, turn } }: Given<"DECISION_FAILED">) => ({ error, turn }),
          },
        },
        // The decision in flight is abandoned: its answer meets a state that does not listen.
        STOP: [
          {
            guard: "hasPositionsToClose",
            target: "executing",
            actions: ["rememberStop", close()],
          },
          { target: "stopped" },
        ],
        CANCEL: "cancelled",
        RESTORED: "running",
      },
    },
    executing: {
      on: {
        RECORDED: [
          {
            guard: "leavesOrdersOut",
            actions: ["takeRecorded", placeIntended(), cancelUnwanted()],
          },
          {
            guard: "hasAccountEnded",
            target: "stopped",
            actions: ["takeRecorded", "forgetStop"],
          },
          { guard: "leavesExitsUnderWay", target: "running", actions: "takeRecorded" },
          {
            guard: "mustStillClose",
            target: "executing",
            reenter: true,
            actions: ["takeRecorded", close()],
          },
          {
            guard: "isStopRemembered",
            target: "stopped",
            actions: ["takeRecorded", "forgetStop"],
          },
          { target: "running", actions: "takeRecorded" },
        ],
        REPORTED: {
          guard: "hasOrdersOut",
          actions: {
            type: "book",
            params: ({ context, event: { reports, turn } }: Given<"REPORTED">) => ({
              context,
              reports,
              turn,
            }),
          },
        },
        TICK: {
          guard: "isNewTickWithOrdersOut",
          actions: skip(),
        },
        // What is out finishes first, or is cancelled; the stop is taken when nothing is out any more.
        STOP: [
          { guard: "hasOrdersOut", actions: ["rememberStop", cancelPending()] },
          { actions: "rememberStop" },
        ],
        CANCEL: { guard: "hasNoOrdersOut", target: "cancelled" },
        RECOVER: { guard: "hasOrdersOut", actions: findPending() },
        // Nothing was sent, so it never happened: a stop comes again with its own message.
        RESTORED: { guard: "hasNoOrdersOut", target: "running", actions: "forgetStop" },
      },
    },
    stopped: { on: { RESUME: { target: "running", actions: "forgetStop" } } },
    cancelled: {
      on: {
        TICK: [
          { guard: "isNewTickWhileClosing", target: "executing", actions: skip() },
          { guard: "isNewTick", target: "composing", actions: decide() },
        ],
        STOP: [
          { guard: "isStopUnderWay", target: "running" },
          {
            guard: "hasPositionsToClose",
            target: "executing",
            actions: ["rememberStop", close()],
          },
          { target: "stopped" },
        ],
        RESUME: [
          { guard: "isClosing", target: "running" },
          { target: "running", actions: "forgetStop" },
        ],
        RECORDED: { target: "running", actions: "takeRecorded" },
      },
    },
  },
});

// What the named actions get. Functions of their own, for several states ask for the same.

function decide() {
  return {
    type: "decide",
    params: ({ context, event: { tick, params, paramsVersion, turn } }: Given<"TICK">) => ({
      context,
      tick,
      params,
      paramsVersion,
      turn,
    }),
  } as const;
}

function skip() {
  return {
    type: "skip",
    params: ({ context, event: { tick, paramsVersion, turn } }: Given<"TICK">) => ({
      context,
      tick,
      paramsVersion,
      turn,
    }),
  } as const;
}

/** The context is the one with the stop remembered. */
function close() {
  return {
    type: "close",
    params: ({ context, event: { turn } }: Given<"STOP" | "RECORDED">) => ({ context, turn }),
  } as const;
}

function placeIntended() {
  return {
    type: "placeOrders",
    params: ({ event: { intended, turn } }: Given<"RECORDED">) => ({ orders: intended, turn }),
  } as const;
}

function cancelUnwanted() {
  return {
    type: "cancelOrders",
    params: ({ context, event: { turn, unwanted } }: Given<"RECORDED">) => ({
      orders: (context.pending ?? []).filter(({ instructionId }) =>
        unwanted.includes(instructionId),
      ),
      turn,
    }),
  } as const;
}

function cancelPending() {
  return { type: "cancelOrders", params: ordersOut } as const;
}

function findPending() {
  return { type: "findOrders", params: ordersOut } as const;
}

function ordersOut({ context, event: { turn } }: Given<"RECOVER" | "STOP">) {
  return { orders: context.pending ?? [], turn };
}

function afterRecorded(
  context: StrategyContext,
  { cause, fills, ledger, decisionState, protections, tickFor, pending }: RecordedCycle,
): StrategyContext {
  const { strategyId, stop } = context;
  return {
    strategyId,
    ledger,
    decisionState,
    protections,
    cycleIndex: context.cycleIndex + 1,
    lastTickFor: tickFor ?? context.lastTickFor,
    pending,
    stop: stop !== null && cause === "stop" ? { ...stop, isClosing: true } : stop,
    ...(fills === null ? {} : { fills }),
  };
}

/** Has its stop begun to close what is held, and not come to the end of it? */
export function isClosing({ fills, ledger, stop }: StrategyContext): boolean {
  const exits = fills?.exits?.length ?? 0;
  return stop !== null && stop.isClosing && exits > 0 && hasPositions(ledger);
}

function withoutStop(context: StrategyContext): StrategyContext {
  const { fills, ...rest } = context;
  const others = fills?.exits?.filter(({ cause }) => cause !== "stop") ?? [];
  const { exits: _, ...kept } = fills ?? {};
  const left = others.length === 0 ? kept : { ...kept, exits: others };
  const isEmpty = Object.keys(left).length === 0;
  return { ...rest, stop: null, ...(isEmpty ? {} : { fills: left }) };
}

function rememberedStop({ commandId, closePositions, reason }: StopRequest): RememberedStop {
  return { commandId, closePositions, reason, isClosing: false };
}

function isNewTick({ lastTickFor }: StrategyContext, { tick }: TickInput): boolean {
  return lastTickFor === null || tick.scheduledFor > lastTickFor;
}

function hasPositions(ledger: Ledger): boolean {
  return Object.keys(ledger.positions).length > 0;
}

/**
 * A phase is in memory only: nothing of it is stored, and after a crash it never happened. All other
 * states are stored before anybody sees them.
 */
export function isPhase({ value, context }: { value: string; context: StrategyContext }): boolean {
  return value === "composing" || (value === "executing" && context.pending === null);
}
