import { z } from "zod";
import { amount, id, instant, json } from "./common.ts";

const side = z.enum(["BUY", "SELL"]);
const action = z.enum(["open_long", "open_short", "close_long", "close_short"]);
const cause = z.enum(["tick", "stop", "protection", "manual", "order"]);
const positionType = z.enum(["LONG", "SHORT"]);

const ofCycle = { cycleIndex: z.number(), composeId: id };

export const instruction = z.object({
  ...ofCycle,
  instructionId: id,
  index: z.number(),
  symbol: z.string(),
  action,
  side,
  quantity: amount,
  leverage: z.number(),
  priceMode: z.enum(["market", "limit"]),
  limitPrice: amount.nullable(),
  reduceOnly: z.boolean(),
  clientOrderId: z.string(),
  note: z.string().nullable(),
  status: z.enum(["pending", "filled", "partial", "rejected", "error"]),
  reason: z.string().nullable(),
  exchangeOrderId: z.string().nullable(),
  filledQuantity: amount,
  averagePrice: amount.nullable(),
  fee: amount,
});

export const trade = z.object({
  ...ofCycle,
  tradeId: id,
  instructionId: id,
  legNumber: z.number(),
  symbol: z.string(),
  kind: z.enum(["open", "close"]),
  type: positionType,
  side,
  quantity: amount,
  leverage: z.number(),
  entryPrice: amount,
  exitPrice: amount.nullable(),
  notionalEntry: amount,
  notionalExit: amount.nullable(),
  feeCost: amount,
  /** Net of its fees; null while it only opens. */
  realizedPnl: amount.nullable(),
  realizedPnlFraction: amount.nullable(),
  entryAt: instant,
  exitAt: instant.nullable(),
  holdingMs: z.number().nullable(),
  eventAt: instant,
});

const holding = z.object({
  symbol: z.string(),
  type: positionType,
  /** Signed. */
  quantity: amount,
  leverage: z.number(),
  entryPrice: amount,
  cost: amount,
  markPrice: amount,
  /** `stale`: the last tick had no fresh price. */
  markQuality: z.enum(["fresh", "stale"]),
  notional: amount,
  unrealizedPnl: amount,
  unrealizedPnlFraction: amount,
  entryAt: instant,
  liquidationPrice: amount.nullable(),
});

export const portfolio = z.object({
  cycleIndex: z.number(),
  at: instant,
  cash: amount,
  totalValue: amount,
  realizedPnl: amount,
  unrealizedPnl: amount,
  grossExposure: amount,
  netExposure: amount,
  buyingPower: amount,
  holdings: z.array(holding),
});

const decision = z.object({
  signal: z.enum(["BUY", "SELL", "LONG", "SHORT", "HOLD"]),
  /** What it wanted done. */
  items: z.array(
    z.object({
      symbol: z.string(),
      action: z.enum([...action.options, "noop"]),
      quantity: amount,
      leverage: z.number().exactOptional(),
      confidence: z.number().exactOptional(),
      rationale: z.string().exactOptional(),
    }),
  ),
  warnings: z.array(z.string()),
  details: json,
  protections: z
    .array(
      z.object({ symbol: z.string(), stopLoss: amount.nullable(), takeProfit: amount.nullable() }),
    )
    .exactOptional(),
});

export const cycle = z.object({
  composeId: id,
  strategyId: id,
  cycleIndex: z.number(),
  tickId: id.nullable(),
  cause,
  composeTime: instant,
  status: z.enum(["completed", "failed", "skipped"]),
  rationale: z.string(),
  decision: decision.nullable(),
  stateBefore: json.nullable(),
  paramsVersion: z.number(),
  definitionVersion: z.number(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  durationMs: z.number(),
  totalValue: amount,
  instructions: z.array(instruction),
  trades: z.array(trade),
});

export const cycleDetail = cycle.extend({
  portfolio: portfolio.nullable(),
  params: json.nullable(),
});

export const portfolioSummary = z.object({
  strategyId: id,
  /** Null before the first cycle. */
  at: instant.nullable(),
  initialBalance: amount,
  cash: amount,
  totalValue: amount,
  totalPnl: amount,
  returnFraction: amount,
  realizedPnl: amount,
  unrealizedPnl: amount,
  grossExposure: amount,
  netExposure: amount,
  buyingPower: amount,
});

export const equityPoint = z.object({
  at: instant,
  cycleIndex: z.number(),
  totalValue: amount,
  cash: amount,
  grossExposure: amount,
});

/** Fractions; null where there is not enough history to say. */
export const performance = z.object({
  strategyId: id,
  name: z.string(),
  definitionName: z.string(),
  symbols: z.array(z.string()),
  tradingMode: z.enum(["paper", "live"]),
  initialBalance: amount,
  totalValue: amount,
  points: z.number(),
  from: instant.nullable(),
  to: instant.nullable(),
  totalReturn: z.number().nullable(),
  annualisedReturn: z.number().nullable(),
  sharpe: z.number().nullable(),
  sortino: z.number().nullable(),
  /** Deepest fall from a peak: of the peak, and in quote currency. */
  maxDrawdown: z.object({ fraction: z.number().nullable(), amount: z.number() }).nullable(),
  exposure: z.number().nullable(),
  trades: z.object({
    closed: z.number(),
    wins: z.number(),
    losses: z.number(),
    winRate: z.number().nullable(),
    profitFactor: z.number().nullable(),
    expectancy: z.number().nullable(),
    expectancyRatio: z.number().nullable(),
  }),
});

/** A stored cycle decided again by this build; `differences` is empty when it is identical. */
export const decisionReplay = z.object({
  strategyId: id,
  composeId: id,
  cycleIndex: z.number(),
  cause,
  identical: z.boolean(),
  differences: z.array(z.object({ path: z.string(), stored: z.json(), again: z.json() })),
});
