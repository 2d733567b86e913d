import { z } from "zod";
import type { StrategyContext } from "./strategy.machine.ts";
import { strategyMachine } from "./strategy.machine.ts";

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
  markPrice: decimalString,
  markAt: z.number(),
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
  cycleIndex: z.int().min(0),
  lastTickFor: z.number().nullable(),
  pending: z.array(z.looseObject({ instructionId: z.string() })).nullable(),
  stop: z
    .looseObject({ commandId: z.string(), closePositions: z.boolean(), reason: z.string() })
    .nullable(),
});

const STATES = ["running", "composing", "executing", "stopped", "cancelled"] as const;

function isStrategyContext(context: unknown): context is StrategyContext {
  return strategyContext.safeParse(context).success;
}

/**
 * Every machine whose snapshots are stored, with the version this build writes and how to bring an
 * older context up to it: `migrations[n]` takes a context of version n to n + 1.
 */
export const storedMachines = {
  strategy: {
    machine: strategyMachine,
    version: 1,
    states: STATES,
    migrations: {} as Record<number, (context: unknown) => unknown>,
    isContext: isStrategyContext,
    problems: (context: unknown): string => {
      const parsed = strategyContext.safeParse(context);
      return parsed.success ? "" : z.prettifyError(parsed.error);
    },
  },
} as const;
