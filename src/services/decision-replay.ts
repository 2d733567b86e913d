// Decides a stored cycle again from what is stored, and nothing else (I15).
import type { ContextBefore, Cycle, CycleCause, Instruction } from "#domain/cycle.ts";
import type { Definition } from "#domain/definition.ts";
import { InvalidInputError } from "#domain/errors.ts";
import { throughJson, type Json, type JsonObject } from "#domain/json.ts";
import { openLedger } from "#domain/ledger.ts";
import type { Ledger, Position } from "#domain/portfolio.ts";
import type { TickInput } from "#domain/tick.ts";
import {
  checkParams,
  decideCycle,
  executeClosing,
  finishCycle,
  openCycle,
  type CycleOutcome,
  type OpenCycle,
} from "#engine/strategy/cycle.ts";
import type { Decisions, Named } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import { contextBeforeOf } from "#persistence/queries/context-before.ts";
import { getCycle, strategyOfCycle, type CycleDetail } from "#persistence/queries/cycles.ts";
import { getDefinitionVersion } from "#persistence/queries/definitions.ts";
import { getStrategy, type StrategyRecord } from "#persistence/queries/strategy-record.ts";
import type { EngineStore } from "#ports/store.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";

export interface Difference {
  /** Dotted path, e.g. `instructions.0.quantity`. */
  path: string;
  stored: Json;
  again: Json;
}

export interface DecisionReplay {
  strategyId: string;
  composeId: string;
  cycleIndex: number;
  cause: CycleCause;
  identical: boolean;
  differences: Difference[];
}

export interface DecisionReplayDependencies {
  database: Database;
  ticks: Pick<EngineStore, "tickInput">;
  decisions: Decisions;
  channels: Named<TradeChannel>;
}

/**
 * Runs today's code over a cycle's recorded inputs: tick, analysis, params and definition version,
 * portfolio and decision state before. Equal means the same decision or the same failure, and the
 * same instructions with the same fills. Of a stop it is the orders that are compared: nobody decides
 * what a channel answers, and the market they met is not stored.
 * @throws NotFoundError CYCLE_NOT_FOUND; InvalidInputError INVALID_INPUT when its inputs are gone
 */
export async function replayDecision(
  dependencies: DecisionReplayDependencies,
  composeId: string,
): Promise<DecisionReplay> {
  const strategyId = await strategyOfCycle(dependencies.database, composeId);
  const cycle = await getCycle(dependencies.database, strategyId, composeId);
  assertDecided(cycle);
  const again = await (cycle.tickId === null
    ? closeAgain(dependencies, cycle)
    : decideAgain(dependencies, cycle));
  const differences = compare(resultOf(cycle), resultOf(again.cycle));
  const { cause, cycleIndex } = cycle;
  const identical = differences.length === 0;
  return { strategyId, composeId, cycleIndex, cause, identical, differences };
}

async function decideAgain(
  dependencies: DecisionReplayDependencies,
  cycle: CycleDetail,
): Promise<CycleOutcome> {
  const input = cycle.tickId === null ? null : await dependencies.ticks.tickInput(cycle.tickId);
  if (input === null) throw gone(cycle, "its tick");
  if (cycle.params === null) throw gone(cycle, `version ${cycle.paramsVersion} of its params`);
  const { definition, tick, market, analysis } = input;
  const open = await openAgain(dependencies, cycle, { definition, tick, market });
  const { decisionAgent } = definition;
  const params = checkParams(() =>
    dependencies.decisions.parseParams(decisionAgent, cycle.params ?? {}),
  );
  const agent = dependencies.decisions.get(decisionAgent);
  return finishCycle(open, await decideCycle(open, agent, { analysis, params }));
}

async function closeAgain(
  dependencies: DecisionReplayDependencies,
  cycle: CycleDetail,
): Promise<CycleOutcome> {
  const { definitionId } = await getStrategy(dependencies.database, cycle.strategyId);
  const version = cycle.definitionVersion;
  const definition = await getDefinitionVersion(dependencies.database, definitionId, version);
  if (definition === null) throw gone(cycle, `version ${version} of its definition`);
  const market = { at: cycle.composeTime, quotes: {}, funding: [], facts: {} };
  const open = await openAgain(dependencies, cycle, { definition, tick: null, market });
  // Its id comes from the command that asked for the stop, which a cycle does not name.
  return executeClosing({ ...open, composeId: cycle.composeId });
}

/** @throws InvalidInputError INVALID_INPUT for a cycle in which nothing was decided */
function assertDecided({ cause, composeId, status }: CycleDetail): void {
  if (cause !== "order" && status !== "skipped") return;
  const what = cause === "order" ? "it books what a venue told" : "its tick was skipped";
  throw new InvalidInputError("INVALID_INPUT", `composeId: nothing was decided in ${composeId}`, {
    fields: [{ field: "composeId", message: `expected a cycle that decided, ${what}` }],
  });
}

function gone({ cycleIndex, composeId }: CycleDetail, what: string): InvalidInputError {
  const message = `composeId: cycle ${cycleIndex} (${composeId}) cannot be decided again: ${what} is not stored any more`;
  return new InvalidInputError("INVALID_INPUT", message, {
    fields: [{ field: "composeId", message: `expected a cycle whose inputs are stored` }],
  });
}

async function openAgain(
  dependencies: DecisionReplayDependencies,
  cycle: CycleDetail,
  given: Pick<TickInput, "market"> & { definition: Definition; tick: TickInput["tick"] | null },
): Promise<OpenCycle> {
  const { database } = dependencies;
  const { strategyId, cycleIndex } = cycle;
  const channel = dependencies.channels.get(given.definition.tradeChannel);
  const strategy = await getStrategy(database, strategyId);
  const before = await contextBeforeOf(database, strategyId, cycleIndex);
  const { lastTickFor, portfolio, protections } = before;
  if (portfolio === null && cycleIndex > 1) throw gone(cycle, "the cycle before it");
  const ledger = ledgerBefore(strategy, channel, portfolio);
  return openCycle({
    ...given,
    context: {
      strategyId,
      ledger,
      decisionState: cycle.stateBefore,
      // A cycle without a decision may have closed what the last decision protected.
      protections: protections.filter(({ symbol }) => ledger.positions[symbol] !== undefined),
      lastTickFor,
      cycleIndex: cycleIndex - 1,
      pending: null,
      stop: null,
      ...(cycle.fillsBefore === null ? {} : { fills: cycle.fillsBefore }),
    },
    channel,
    cause: cycle.cause,
    paramsVersion: cycle.paramsVersion,
    startedAt: 0,
  });
}

/** As much of the ledger as a decision can see. */
function ledgerBefore(
  { initialBalance }: StrategyRecord,
  { marketType }: TradeChannel,
  before: ContextBefore["portfolio"],
): Ledger {
  const empty = openLedger({ marketType, initialBalance });
  if (before === null) return empty;
  const { at: markAt, cash, realizedPnl } = before;
  const positions = before.positions.map((position): [string, Position] => [
    position.symbol,
    { ...position, entryFees: "0", markAt },
  ]);
  return { ...empty, cash, realizedPnl, positions: Object.fromEntries(positions) };
}

type Result = Pick<Cycle, "cause" | "status" | "error" | "decision" | "instructions">;

/** What is compared. */
function resultOf({ cause, status, error, decision, instructions }: Result): Json {
  return {
    status,
    error: throughJson(error),
    decision: throughJson(decision),
    instructions: cause === "stop" ? closingOrders(instructions) : instructions.map(fillOf),
  };
}

/** A stop's prices are not stored: which of its orders a stop loss had set off cannot be seen again. */
function closingOrders(instructions: readonly Instruction[]): JsonObject[] {
  return instructions
    .toSorted((a, b) => (a.symbol < b.symbol ? -1 : 1))
    .map((instruction) => ({ ...orderOf(instruction), instructionId: null }));
}

function orderOf(instruction: Instruction): JsonObject {
  const { instructionId, symbol, action, side, quantity } = instruction;
  const { leverage, reduceOnly, priceMode, limitPrice } = instruction;
  const order = { instructionId, symbol, action, side, quantity };
  return { ...order, leverage, reduceOnly, priceMode, limitPrice };
}

function fillOf(instruction: Instruction): JsonObject {
  const { status, filledQuantity, averagePrice, fee } = instruction;
  return { ...orderOf(instruction), status, filledQuantity, averagePrice, fee };
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
