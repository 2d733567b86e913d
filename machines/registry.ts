import { z } from "zod";
import { ExitCause } from "#domain/exit.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { StrategyContext } from "./strategy.machine.ts";

// Structure only: that money is money is the ledger's and the database's business. `looseObject`
// keeps fields this build does not know.
const decimalString = z.string().regex(/^-?\d+(\.\d+)?$/, "expected a decimal number in a string");

const position = z.looseObject({
  symbol: z.string(),
  quantity: decimalString,
  cost: decimalString,
  entryFees: decimalString,
  leverage: z.number().min(1),
  entryAt: z.number(),
  closedPnl: decimalString.optional(),
  markPrice: decimalString,
  markAt: z.number(),
});

const pendingOrder = z.looseObject({
  instructionId: z.string(),
  clientOrderId: z.string(),
  symbol: z.string(),
  quantity: decimalString,
  filledQuantity: decimalString,
  fills: z.array(z.looseObject({ tradeId: z.string() })),
});

const fills = z.looseObject({
  exits: z
    .array(
      z.looseObject({
        symbol: z.string(),
        cause: z.enum(ExitCause),
        remaining: decimalString,
        since: z.number(),
      }),
    )
    .optional(),
  taken: z
    .array(z.looseObject({ symbol: z.string(), barCloseAt: z.number(), quantity: decimalString }))
    .optional(),
  seenUntil: z.number().optional(),
});

const strategyContext = z.looseObject({
  strategyId: z.string(),
  ledger: z.looseObject({
    marketType: z.enum(["spot", "perpetual"]),
    initialBalance: decimalString,
    cash: decimalString,
    realizedPnl: decimalString,
    feesPaid: decimalString,
    fundingNet: decimalString,
    externalTransfers: decimalString,
    positions: z.record(z.string(), position),
    peakEquity: decimalString,
    maxDrawdown: decimalString,
    totalTrades: z.int().min(0),
    winningTrades: z.int().min(0),
    losingTrades: z.int().min(0),
  }),
  decisionState: z.record(z.string(), z.json()).nullable(),
  protections: z.array(
    z.looseObject({
      symbol: z.string(),
      stopLoss: decimalString.nullable(),
      takeProfit: decimalString.nullable(),
    }),
  ),
  fills: fills.optional(),
  cycleIndex: z.int().min(0),
  lastTickFor: z.number().nullable(),
  pending: z.array(pendingOrder).min(1).nullable(),
  stop: z
    .looseObject({
      commandId: z.string(),
      closePositions: z.boolean(),
      reason: z.string(),
      isClosing: z.boolean(),
    })
    .nullable(),
});

/** Version 1 stored the context alone, its orders without fills of their own, its stop unmarked. */
const firstContext = z.looseObject({
  pending: z.array(z.looseObject({})).nullable(),
  stop: z.looseObject({}).nullable(),
});

function fromFirst({ value, context }: StoredSnapshot): StoredSnapshot {
  const { pending, stop, ...rest } = firstContext.parse(context);
  const orders = (pending ?? []).map((order) => ({ ...order, fills: [] }));
  return {
    value,
    context: {
      ...rest,
      pending: orders.length === 0 ? null : orders,
      stop: stop === null ? null : { ...stop, isClosing: false },
    },
  };
}

const STATES = ["running", "composing", "executing", "stopped", "cancelled"] as const;

function isStrategyContext(context: unknown): context is StrategyContext {
  return strategyContext.safeParse(context).success;
}

/** A snapshot's state and context as some version stored them; what else XState persists is empty. */
export interface StoredSnapshot {
  value: string;
  context: unknown;
}

/** What this build knows about the snapshots of one machine. */
export interface StoredMachine {
  /** The version it writes. */
  version: number;
  states: readonly StrategyState[];
  /** `migrations[n]` takes a snapshot of version n to n + 1; what it throws is why it cannot. */
  migrations: Readonly<Record<number, (stored: StoredSnapshot) => StoredSnapshot>>;
  isContext(context: unknown): context is StrategyContext;
  /** What is wrong with a context, in words; empty when nothing is. */
  problems(context: unknown): string;
}

/**
 * Every machine whose snapshots are stored. A change that older snapshots do not fit raises the
 * version, adds a migration, and leaves the fixtures of all older versions as they are.
 */
export const storedMachines: Readonly<Record<"strategy", StoredMachine>> = {
  strategy: {
    version: 2,
    states: STATES,
    migrations: { 1: fromFirst },
    isContext: isStrategyContext,
    problems: (context) => {
      const parsed = strategyContext.safeParse(context);
      return parsed.success ? "" : z.prettifyError(parsed.error);
    },
  },
};
