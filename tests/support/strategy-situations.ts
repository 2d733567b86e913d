import { createActor } from "xstate";
import type { Decision } from "#domain/decision.ts";
import type { Definition } from "#domain/definition.ts";
import type { PendingOrder } from "#domain/cycle.ts";
import type { FillState } from "#domain/exit.ts";
import type { Ledger, Position } from "#domain/portfolio.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { TickInput } from "#domain/tick.ts";
import {
  strategyMachine,
  type RecordedCycle,
  type StrategyContext,
  type StrategyEvent,
} from "#machines/strategy.machine.ts";

export const FIRST_TICK = Date.UTC(2024, 0, 15, 12);
export const SECOND_TICK = FIRST_TICK + 3_600_000;

const definition: Definition = {
  id: "definition-1",
  name: "multi_agent_btc_v1",
  displayName: "BTC conviction",
  description: "",
  philosophy: "",
  decisionAgent: "multi_agent_conviction",
  agents: [],
  tradeChannel: "paper",
  symbols: ["BTC-USDT"],
  periodMinutes: 60,
  defaultParams: {},
  version: 1,
  catchUp: "one",
  isActive: true,
};

const LONG: Position = {
  symbol: "BTC-USDT",
  quantity: "0.1",
  cost: "4200",
  entryFees: "4.2",
  leverage: 1,
  entryAt: FIRST_TICK,
  markPrice: "42000",
  markAt: FIRST_TICK,
};

const EMPTY_LEDGER: Ledger = {
  marketType: "spot",
  initialBalance: "10000",
  cash: "10000",
  realizedPnl: "0",
  feesPaid: "0",
  fundingNet: "0",
  externalTransfers: "0",
  positions: {},
  peakEquity: "10000",
  maxDrawdown: "0",
  totalTrades: 0,
  winningTrades: 0,
  losingTrades: 0,
};

/** A strategy that has not traded yet. */
export function newContext(overrides: Partial<StrategyContext> = {}): StrategyContext {
  return {
    strategyId: "7b0a7f4c-0d0b-4a53-9a6b-0f6f0c2f9d11",
    ledger: EMPTY_LEDGER,
    decisionState: null,
    protections: [],
    cycleIndex: 0,
    lastTickFor: null,
    pending: null,
    stop: null,
    ...overrides,
  };
}

/** After a first cycle that decided to wait. */
export function heldContext(overrides: Partial<StrategyContext> = {}): StrategyContext {
  return newContext({
    decisionState: { buyStreak: 1, sellStreak: 0 },
    cycleIndex: 1,
    lastTickFor: FIRST_TICK,
    ...overrides,
  });
}

/** After a first cycle that bought. */
export function longContext(overrides: Partial<StrategyContext> = {}): StrategyContext {
  return heldContext({
    ledger: {
      ...EMPTY_LEDGER,
      cash: "5795.8",
      realizedPnl: "-4.2",
      feesPaid: "4.2",
      positions: { [LONG.symbol]: LONG },
      totalTrades: 1,
    },
    ...overrides,
  });
}

export const pendingOrder: PendingOrder = {
  instructionId: "0f4d7d0a-1c51-5f0e-9d43-0a3f6a1f2b10",
  index: 0,
  symbol: "BTC-USDT",
  action: "open_long",
  side: "BUY",
  quantity: "0.1",
  leverage: 1,
  priceMode: "market",
  limitPrice: null,
  reduceOnly: false,
  clientOrderId: "0f4d7d0a1c515f0e9d430a3f6a1f2b10",
  note: "conviction above the threshold",
  status: "pending",
  reason: null,
  exchangeOrderId: null,
  filledQuantity: "0",
  averagePrice: null,
  fee: "0",
  fills: [],
};

/** A turn that nobody waits for: the machine only hands it on. */
const turn = { strategyId: newContext().strategyId };

export const hold: Decision = {
  signal: "HOLD",
  items: [],
  rationale: "nothing to do",
  warnings: [],
  details: {},
  state: { buyStreak: 1, sellStreak: 0 },
};

export function tickAt(scheduledFor: number): StrategyEvent & { type: "TICK" } {
  const params = { ok: true, value: { buy: 60 } } as const;
  return { type: "TICK", tick: tickInput(scheduledFor), params, paramsVersion: 1, turn };
}

export function stopWith(closePositions: boolean): StrategyEvent & { type: "STOP" } {
  return { type: "STOP", commandId: "command-1", closePositions, reason: "user asked", turn };
}

export const DECIDED: StrategyEvent & { type: "DECIDED" } = {
  type: "DECIDED",
  decision: hold,
  turn,
};
export const DECISION_FAILED: StrategyEvent & { type: "DECISION_FAILED" } = {
  type: "DECISION_FAILED",
  error: { code: "PORT_TIMEOUT", message: "no decision" },
  turn,
};
export const REPORTED: StrategyEvent & { type: "REPORTED" } = {
  type: "REPORTED",
  reports: [],
  turn,
};
export const RECOVER: StrategyEvent & { type: "RECOVER" } = { type: "RECOVER", turn };

/** A cycle that left the money and the orders of `context`. */
export function recorded(
  context: StrategyContext,
  changes: Partial<RecordedCycle> = {},
): StrategyEvent & { type: "RECORDED" } {
  const { decisionState, fills = null, lastTickFor, ledger, pending, protections } = context;
  return {
    type: "RECORDED",
    cause: "tick",
    tickFor: lastTickFor,
    ledger,
    decisionState,
    protections,
    pending,
    intended: pending ?? [],
    unwanted: [],
    fills,
    hasEnded: false,
    ...changes,
    turn,
  };
}

/** What a bar could not take of the position of `longContext`. */
export const exitsUnderWay: FillState = {
  exits: [{ symbol: LONG.symbol, cause: "stop", remaining: "0.04", since: FIRST_TICK }],
  taken: [{ symbol: LONG.symbol, barCloseAt: FIRST_TICK, quantity: "0.06" }],
};

/** At least one event of each type, with the variants that make a difference. */
export const eventsByType: { [Type in StrategyEvent["type"]]: (StrategyEvent & { type: Type })[] } =
  {
    TICK: [tickAt(FIRST_TICK), tickAt(SECOND_TICK)],
    DECIDED: [DECIDED],
    DECISION_FAILED: [DECISION_FAILED],
    REPORTED: [REPORTED],
    RESTORED: [{ type: "RESTORED" }],
    RECOVER: [RECOVER],
    RECORDED: [
      recorded(heldContext()),
      recorded(longContext()),
      recorded(heldContext({ pending: [pendingOrder] })),
      recorded(longContext({ pending: [pendingOrder] })),
      recorded(heldContext(), { cause: "stop" }),
      recorded(longContext(), { cause: "stop" }),
      recorded(longContext({ pending: [pendingOrder] }), { cause: "stop" }),
      recorded(longContext({ fills: exitsUnderWay }), { cause: "stop" }),
      recorded(heldContext(), { hasEnded: true }),
    ],
    STOP: [stopWith(false), stopWith(true)],
    CANCEL: [{ type: "CANCEL", reason: "shutdown" }],
    RESUME: [{ type: "RESUME" }],
  };

export const allEvents: StrategyEvent[] = Object.values(eventsByType).flat();

/** A started actor, where it stands, and the effects it has asked for so far. */
export interface ObservedActor {
  send(event: StrategyEvent): void;
  stand(): { status: string; value: StrategyState; context: StrategyContext };
  persisted(): unknown;
  asked: string[];
}

/** A new actor, or one restored to `at` the way the engine restores it. */
export function observedActor(
  input: StrategyContext,
  at?: { value: StrategyState; context: StrategyContext },
): ObservedActor {
  return observed(
    at === undefined ? { input } : { input, snapshot: observedMachine.resolveState(at) },
  );
}

function observed(
  options: Parameters<typeof createActor<typeof observedMachine>>[1],
): ObservedActor {
  const actor = createActor(observedMachine, options);
  const asked: string[] = [];
  askedBy.set(actor, asked);
  actor.start();
  return {
    send: (event) => actor.send(event),
    stand: () => {
      const { status, value, context } = actor.getSnapshot();
      return { status, value, context };
    },
    persisted: () => actor.getPersistedSnapshot(),
    asked,
  };
}

/** As XState restores what it persisted. */
export function revivedFrom(persisted: string): ObservedActor {
  return observed({ input: newContext(), snapshot: JSON.parse(persisted) });
}

const askedBy = new WeakMap<object, string[]>();
const asks = (what: string) => (_: { self: object }) => void askedBy.get(_.self)?.push(what);
const observedMachine = strategyMachine.provide({
  actions: {
    decide: asks("decide"),
    execute: asks("execute"),
    fail: asks("fail"),
    close: asks("close"),
    skip: asks("skip"),
    book: asks("book"),
    placeOrders: ({ self }, { orders }) => ask(self, "place", orders),
    cancelOrders: ({ self }, { orders }) => ask(self, "cancel", orders),
    findOrders: ({ self }, { orders }) => ask(self, "find", orders),
  },
});

function ask(self: object, what: string, { length }: readonly unknown[]): void {
  if (length > 0) askedBy.get(self)?.push(`${what} ${length}`);
}

function tickInput(scheduledFor: number): TickInput {
  return {
    tick: {
      id: `tick-${scheduledFor}`,
      definitionId: definition.id,
      scheduledFor,
      previousFor: null,
      status: "running",
    },
    definition,
    market: { at: scheduledFor, quotes: {}, funding: [], facts: {} },
    analysis: {},
  };
}
