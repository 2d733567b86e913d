import { z } from "zod";
import { amountInput, lineInput, referenceInput, textInput } from "#domain/inputs.ts";
import { StopReason, StrategyState } from "#domain/strategy.ts";
import { amount, id, instant, json, pageRequest } from "./common.ts";

const name = lineInput(200);
const description = textInput(2_000);
const tags = z.array(lineInput(50)).max(20);
const status = z.enum(["running", "stopped", "cancelled"]);

export const state = z.enum(StrategyState);
export const stopReason = z.enum(StopReason);

export const listRequest = z
  .strictObject({
    ...pageRequest,
    definitionId: id.exactOptional(),
    status: status.exactOptional(),
    /** Part of the name, whatever its case. */
    search: lineInput(200, 0).exactOptional(),
    sort: z.enum(["created", "return", "name"]).default("created"),
  })
  .prefault({});

export const createRequest = z.strictObject({
  /** Id or name. */
  definition: referenceInput,
  /** A random UUID chosen by the caller: the same request sent twice makes one strategy. */
  strategyId: id.exactOptional(),
  /** Left out: `<template> - <user> - #<n>`. */
  name: name.exactOptional(),
  description: description.exactOptional(),
  /** Quote currency; rounded half to even to the 18 places that are stored. */
  initialBalance: amountInput,
  /** Laid over the definition's defaults. */
  params: json.exactOptional(),
  tags: tags.exactOptional(),
});

export const updateRequest = z.strictObject({
  strategyId: id,
  name: name.exactOptional(),
  description: description.exactOptional(),
  /** Laid over the present ones, `agent_weights` by key; they count from the next tick. */
  params: json.exactOptional(),
});

export const stopRequest = z.strictObject({
  strategyId: id,
  /** Sell what it holds, at market; else positions stay as they are. */
  closePositions: z.boolean().default(true),
  reason: lineInput(500).default("asked for"),
  /** Chosen by the caller: the same command sent twice is one. */
  commandId: id.exactOptional(),
});

export const archiveRequest = z.strictObject({ strategyId: id });

/** What was stored, which may differ from what was sent: ids in lower case, amounts rounded. */
export const created = z.object({
  strategyId: id,
  name: z.string(),
  initialBalance: amount,
  /** What is questionable about it, e.g. that some purchases are too small for the venue; left out: nothing. */
  warnings: z.array(z.string()).exactOptional(),
  /** What holds for every strategy at present, e.g. that no tick will come; empty when there is nothing. */
  notices: z.array(z.string()),
});

export const resumeRequest = z.strictObject({ strategyId: id, commandId: id.exactOptional() });

/** A phase beyond `state` that lasts; not committed, so without figures. Null when there is none. */
const inProgress = z.enum(["composing", "executing"]).nullable();

export const listItem = z.object({
  id,
  name: z.string(),
  description: z.string(),
  definitionId: id,
  definitionName: z.string(),
  definitionDisplayName: z.string(),
  userId: id,
  ownerName: z.string(),
  tradingMode: z.enum(["paper", "live"]),
  status,
  state,
  desiredStatus: z.enum(["running", "stopped"]),
  /** The state does not yet say what is desired: a command is on its way. */
  pending: z.boolean(),
  inProgress,
  stopReason: stopReason.nullable(),
  stopReasonDetail: z.string().nullable(),
  isActive: z.boolean(),
  /**
   * Purchases below its venue's smallest order at its present value: none, some (they leave no order),
   * or all of them. Null: its decision agent does not say how large they are.
   */
  tooSmall: z.enum(["none", "some", "all"]).nullable(),
  initialBalance: amount,
  cash: amount,
  totalValue: amount,
  realizedPnl: amount,
  unrealizedPnl: amount,
  totalPnl: amount,
  returnFraction: amount,
  maxDrawdown: amount,
  peakValue: amount,
  totalTrades: z.number(),
  winningTrades: z.number(),
  losingTrades: z.number(),
  winRate: amount.nullable(),
  cycleIndex: z.number(),
  lastExecutionAt: instant.nullable(),
  tags: z.array(z.string()),
  riskLevel: z.enum(["low", "medium", "high"]),
  createdAt: instant,
});

export const strategy = listItem.extend({
  params: json,
  paramsVersion: z.number(),
  metadata: json,
  decisionAgent: z.string(),
  tradeChannel: z.string(),
  symbols: z.array(z.string()),
  periodMinutes: z.number(),
  /** Of a stop that is asked for and not yet carried out. */
  stopRequestedReason: z.string().nullable(),
  archivedAt: instant.nullable(),
  updatedAt: instant,
});

/** The answer to a command: stored for good, and carried out by the engine in its turn. */
export const commandResult = z.object({
  commandId: id,
  /** `unchanged`: there was nothing to do. */
  outcome: z.enum(["requested", "unchanged"]),
  state,
  desiredStatus: z.enum(["running", "stopped"]),
  pending: z.boolean(),
});

/** A strategy as a commit left it. */
export const change = z.object({
  strategyId: id,
  definitionId: id,
  state,
  stopReason: stopReason.nullable(),
  /** +1 per commit of this strategy. */
  seq: z.number(),
  cycleIndex: z.number(),
  lastCycleAt: instant.nullable(),
  lastStatus: z.enum(["completed", "failed", "skipped"]).nullable(),
  lastSignal: z.enum(["BUY", "SELL", "LONG", "SHORT", "HOLD"]).nullable(),
  inProgress,
  totalValue: amount,
  cash: amount,
  realizedPnl: amount,
  unrealizedPnl: amount,
});

export const changeRequest = z
  .strictObject({
    /** Left out: all. */
    strategyIds: z.array(id).min(1).max(1_000).exactOptional(),
    /** Where an earlier subscription ended; set by the client when it reconnects. */
    lastEventId: lineInput(100).nullish(),
  })
  .default({});
