// Decides a stored cycle again from what is stored, and nothing else (I15).
import type { ContextBefore, Instruction } from "#domain/cycle.ts";
import { InvalidInputError } from "#domain/errors.ts";
import { throughJson, type Json, type JsonObject } from "#domain/json.ts";
import { openLedger } from "#domain/ledger.ts";
import type { Ledger, Position } from "#domain/portfolio.ts";
import { decisionInput, executeDecision, openCycle } from "#engine/cycle.ts";
import type { Decisions, Named } from "#engine/engine-parts.ts";
import type { Database } from "#persistence/database.ts";
import { contextBeforeOf } from "#persistence/queries/context-before.ts";
import { getCycle, type CycleDetail } from "#persistence/queries/cycles.ts";
import { getStrategy } from "#persistence/queries/strategies.ts";
import type { EngineStore } from "#ports/store.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";

export interface Difference {
  /** Dotted path, e.g. `instructions.0.quantity`. */
  path: string;
  stored: Json;
  again: Json;
}

export interface Redecision {
  strategyId: string;
  composeId: string;
  cycleIndex: number;
  identical: boolean;
  differences: Difference[];
}

export interface RedecisionParts {
  database: Database;
  ticks: Pick<EngineStore, "tickInput">;
  decisions: Decisions;
  channels: Named<TradeChannel>;
}

/**
 * Runs today's code over a cycle's recorded inputs: tick, analysis, params and definition version,
 * portfolio and decision state before. Equal means the same decision and the same instructions.
 * @throws NotFoundError CYCLE_NOT_FOUND; InvalidInputError INVALID_INPUT for a cycle without a decision
 */
export async function redecide(
  parts: RedecisionParts,
  strategyId: string,
  composeId: string,
): Promise<Redecision> {
  const cycle = await getCycle(parts.database, strategyId, composeId);
  const input = cycle.tickId === null ? null : await parts.ticks.tickInput(cycle.tickId);
  if (input === null || cycle.decision === null || cycle.params === null) {
    const message = `cycle ${cycle.cycleIndex} (${cycle.cause}, ${cycle.status}) holds no decision to repeat`;
    throw new InvalidInputError("INVALID_INPUT", message);
  }
  const { definition, tick, market, analysis } = input;
  const frame = openCycle({
    context: await contextBefore(parts, cycle),
    definition,
    channel: parts.channels.get(definition.tradeChannel),
    tick,
    cause: "tick",
    market,
    paramsVersion: cycle.paramsVersion,
    startedAt: 0,
  });
  const agent = parts.decisions.get(definition.decisionAgent);
  const params = parts.decisions.parseParams(definition.decisionAgent, cycle.params);
  const decision = await agent.decide(decisionInput(frame, analysis, params));
  const again = (await executeDecision(frame, decision)).cycle;
  const differences = compare(
    { decision: throughJson(cycle.decision), instructions: cycle.instructions.map(essence) },
    { decision: throughJson(again.decision), instructions: again.instructions.map(essence) },
  );
  const { cycleIndex } = cycle;
  return { strategyId, composeId, cycleIndex, identical: differences.length === 0, differences };
}

async function contextBefore(
  { database, channels, ...parts }: RedecisionParts,
  cycle: CycleDetail,
) {
  const { strategyId, cycleIndex } = cycle;
  const strategy = await getStrategy(database, strategyId);
  const before = await contextBeforeOf(database, strategyId, cycleIndex);
  const input = cycle.tickId === null ? null : await parts.ticks.tickInput(cycle.tickId);
  const { marketType } = channels.get(input?.definition.tradeChannel ?? "");
  const empty = openLedger({ marketType, initialBalance: strategy.initialBalance });
  if (before.portfolio === null && cycleIndex > 1) {
    const message = `cycle ${cycleIndex} cannot be decided again: the one before it is not stored`;
    throw new InvalidInputError("INVALID_INPUT", message);
  }
  return {
    strategyId,
    ledger: before.portfolio === null ? empty : ledgerOf(empty, before.portfolio),
    decisionState: cycle.stateBefore,
    protections: before.protections,
    lastTickFor: before.lastTickFor,
    cycleIndex: cycleIndex - 1,
    pending: null,
    stop: null,
  };
}

/** As much of the ledger as a decision can see. */
function ledgerOf(empty: Ledger, before: NonNullable<ContextBefore["portfolio"]>): Ledger {
  const { at: markAt, cash, realizedPnl } = before;
  const positions = before.positions.map((position): [string, Position] => [
    position.symbol,
    { ...position, entryFees: "0", markAt },
  ]);
  return { ...empty, cash, realizedPnl, positions: Object.fromEntries(positions) };
}

function essence(instruction: Instruction): JsonObject {
  const { instructionId, symbol, action, side, quantity, leverage, reduceOnly } = instruction;
  const { priceMode, limitPrice, status, filledQuantity, averagePrice, fee } = instruction;
  return {
    instructionId,
    symbol,
    action,
    side,
    quantity,
    leverage,
    reduceOnly,
    priceMode,
    limitPrice,
    status,
    filledQuantity,
    averagePrice,
    fee,
  };
}

function compare(stored: Json, again: Json, path = ""): Difference[] {
  if (!isContainer(stored) || !isContainer(again)) {
    return stored === again ? [] : [{ path, stored, again }];
  }
  const keys = new Set([...Object.keys(stored), ...Object.keys(again)]);
  return [...keys].flatMap((key) =>
    compare(
      Reflect.get(stored, key) ?? null,
      Reflect.get(again, key) ?? null,
      path === "" ? key : `${path}.${key}`,
    ),
  );
}

function isContainer(value: Json): value is Json[] | JsonObject {
  return typeof value === "object" && value !== null;
}
