import { assign, setup } from "xstate";
import type { Decision, Protection } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Ledger } from "#domain/portfolio.ts";
import type { Instruction } from "#domain/cycle.ts";
import type { TickInput } from "#domain/tick.ts";

export interface StopRequest {
  commandId: string;
  closePositions: boolean;
  reason: string;
}

/** What must survive a crash, and nothing else: plain JSON, decimals as strings. */
export interface StrategyContext {
  strategyId: string;
  ledger: Ledger;
  /** What the last decision left for the next (streak counters and the like). */
  decisionState: JsonObject | null;
  protections: Protection[];
  /** Recorded cycles so far. */
  cycleIndex: number;
  /** `scheduledFor` of the newest recorded tick, ms UTC: a tick is recorded once (I2). */
  lastTickFor: number | null;
  /** Orders committed as intent and not yet answered (live channels, I3). */
  pending: Instruction[] | null;
  /** A stop asked for and not yet carried out. */
  stop: StopRequest | null;
}

export type StrategyEvent =
  /** The group's analysis, with the strategy's own params: never part of the snapshot. */
  | { type: "TICK"; tick: TickInput; params: unknown; paramsVersion: number }
  | { type: "DECIDED"; decision: Decision }
  | { type: "DECISION_FAILED"; error: { code: string; message: string } }
  /** The cycle is committed; `value` and `context` are what was stored with it. */
  | { type: "RECORDED"; value: "running" | "stopped"; context: StrategyContext }
  | ({ type: "STOP" } & StopRequest)
  | { type: "CANCEL"; reason: string }
  | { type: "RESUME" };

/**
 * One strategy's life. It asks for effects by the actions `beginDecision`, `beginExecution`,
 * `beginFailure` and `beginClosing`, which the engine provides; their results come back as events, so
 * a failure is an event too. Nothing is written here: the engine commits first and then sends
 * `RECORDED` with what it stored, so the committed snapshot is the next state.
 */
export const strategyMachine = setup({
  types: {
    context: {} as StrategyContext,
    input: {} as StrategyContext,
    events: {} as StrategyEvent,
  },
  actions: {
    beginDecision: () => undefined,
    beginExecution: () => undefined,
    beginFailure: () => undefined,
    beginClosing: () => undefined,
    rememberStop: assign({
      stop: ({ context, event }) =>
        event.type === "STOP"
          ? {
              commandId: event.commandId,
              closePositions: event.closePositions,
              reason: event.reason,
            }
          : context.stop,
    }),
    forgetStop: assign({ stop: null }),
    // A stop that came after the record was built outlives it.
    takeRecorded: assign(({ context, event }) =>
      event.type === "RECORDED" ? { ...event.context, stop: context.stop } : context,
    ),
  },
  guards: {
    isNewTick: ({ context, event }) =>
      event.type === "TICK" &&
      (context.lastTickFor === null || event.tick.tick.scheduledFor > context.lastTickFor),
    hasPositionsToClose: ({ context, event }) =>
      event.type === "STOP" && event.closePositions && hasPositions(context.ledger),
    wasRecordedStopped: ({ event }) => event.type === "RECORDED" && event.value === "stopped",
    mustStillClose: ({ context, event }) =>
      event.type === "RECORDED" &&
      context.stop !== null &&
      context.stop.closePositions &&
      hasPositions(event.context.ledger),
    isStopRemembered: ({ context }) => context.stop !== null,
    hasNoOrdersOut: ({ context }) => context.pending === null,
  },
}).createMachine({
  id: "strategy",
  context: ({ input }) => input,
  initial: "running",
  states: {
    running: {
      on: {
        TICK: { guard: "isNewTick", target: "composing" },
        STOP: [
          {
            guard: "hasPositionsToClose",
            target: "executing",
            actions: ["rememberStop", "beginClosing"],
          },
          { target: "stopped" },
        ],
        CANCEL: "cancelled",
      },
    },
    composing: {
      entry: "beginDecision",
      on: {
        DECIDED: { target: "executing", actions: "beginExecution" },
        DECISION_FAILED: { target: "executing", actions: "beginFailure" },
        // The decision in flight is abandoned: its answer meets a state that does not listen.
        STOP: [
          {
            guard: "hasPositionsToClose",
            target: "executing",
            actions: ["rememberStop", "beginClosing"],
          },
          { target: "stopped" },
        ],
        CANCEL: "cancelled",
      },
    },
    executing: {
      on: {
        RECORDED: [
          {
            guard: "wasRecordedStopped",
            target: "stopped",
            actions: ["takeRecorded", "forgetStop"],
          },
          {
            guard: "mustStillClose",
            target: "executing",
            reenter: true,
            actions: ["takeRecorded", "beginClosing"],
          },
          {
            guard: "isStopRemembered",
            target: "stopped",
            actions: ["takeRecorded", "forgetStop"],
          },
          { target: "running", actions: "takeRecorded" },
        ],
        // Orders in flight finish first; the stop is taken when they are recorded.
        STOP: { actions: "rememberStop" },
        CANCEL: { guard: "hasNoOrdersOut", target: "cancelled" },
      },
    },
    stopped: { on: { RESUME: { target: "running", actions: "forgetStop" } } },
    cancelled: { on: { RESUME: { target: "running", actions: "forgetStop" } } },
  },
});

function hasPositions(ledger: Ledger): boolean {
  return Object.keys(ledger.positions).length > 0;
}
