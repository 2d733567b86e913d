// What a user can do with strategies: use cases over the stores, the same for API, CLI and seeding.
import type { DecimalString } from "#domain/decimal.ts";
import type { Definition } from "#domain/definition.ts";
import { DomainError, InvalidInputError, InvariantError } from "#domain/errors.ts";
import { amountExpected, parseAmount } from "#domain/inputs.ts";
import type { JsonObject } from "#domain/json.ts";
import { openLedger } from "#domain/ledger.ts";
import { sealAt } from "#engine/strategy/envelope.ts";
import type { Decisions, Named } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import {
  archiveStrategy,
  requestResume,
  requestStop,
  updateStrategy,
  type ControlOutcome,
} from "#persistence/repositories/strategy-controls.repository.ts";
import { countStrategies } from "#persistence/queries/strategies.ts";
import { findStrategy } from "#persistence/queries/strategy-record.ts";
import {
  createStrategies,
  type NewStrategy,
} from "#persistence/repositories/strategies.repository.ts";
import { sizesOf, sizeWarnings } from "./order-sizes.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import type { WorkQueue } from "#ports/work-queue.ts";

export interface NewStrategyRequest {
  /** A random UUID chosen by the caller, left out: by the service. */
  strategyId?: string;
  name: string;
  description?: string;
  /** Quote currency, > 0. */
  initialBalance: DecimalString;
  /** Laid over the definition's defaults; `agent_weights` is merged by key. */
  params?: JsonObject;
  tags?: string[];
}

export interface StrategyServiceDependencies {
  database: Database;
  queue: WorkQueue;
  decisions: Decisions;
  channels: Named<TradeChannel>;
  /** Most members of one shard. */
  shardSize: number;
  failpoint?: OnFailpoint;
  /** Told after every stored change, so that nobody waits for a poll. */
  onChange: () => void;
}

/** Who a strategy belongs to and who is written down as having made it. */
export interface Owner {
  id: string;
  email: string;
  fullName: string;
}

export type CreateRequest = Omit<NewStrategyRequest, "name"> & { name?: string | undefined };

export interface CreatedStrategy {
  strategyId: string;
  name: string;
  /** As it is stored: rounded to its 18 places. */
  initialBalance: DecimalString;
  /** What its owner should know, e.g. purchases too small for the venue; left out: nothing. */
  warnings?: string[];
}

export type StrategyService = ReturnType<typeof createStrategyService>;

export function createStrategyService(dependencies: StrategyServiceDependencies) {
  const { database, onChange } = dependencies;
  return {
    /**
     * Stores new strategies of one definition; they take part from its next tick on.
     * @throws InvalidInputError INVALID_PARAMS, INVALID_INPUT; DomainError DEFINITION_INACTIVE
     */
    async createAll(
      definition: Definition,
      owner: { userId: string; actor: string },
      requests: readonly NewStrategyRequest[],
    ): Promise<string[]> {
      const strategies = requests.map((request) =>
        toNew(dependencies, definition, { userId: owner.userId, request }),
      );
      await createStrategies(database, {
        definitionId: definition.id,
        shardSize: dependencies.shardSize,
        actor: owner.actor,
        strategies,
      });
      onChange();
      return strategies.map(({ id }) => id);
    },

    /**
     * Stores one new strategy, named `<template> - <user> - #<n>` unless it has a name. Asked for
     * again with the same id, it is found, not made twice: so a caller without an answer may ask again.
     * @throws as `createAll`; InvalidInputError INVALID_INPUT where the balance is too small for any
     * order; DomainError DUPLICATE when the id is that of another strategy
     */
    async create(
      definition: Definition,
      owner: Owner,
      request: CreateRequest,
    ): Promise<CreatedStrategy> {
      const before = await createdBefore(dependencies, { definition, owner, request });
      if (before !== null) return before;
      const warnings = warningsAbout(dependencies, definition, request);
      const name = request.name ?? (await nextName(database, definition, owner));
      const of = { userId: owner.id, actor: owner.email };
      try {
        const [strategyId = ""] = await this.createAll(definition, of, [{ ...request, name }]);
        return {
          strategyId,
          name,
          initialBalance: amountOf(request.initialBalance),
          ...warnings,
        };
      } catch (error) {
        // The same request, sent twice at once: the other one was first.
        const isTwice = error instanceof DomainError && error.code === "DUPLICATE";
        const other = isTwice
          ? await createdBefore(dependencies, { definition, owner, request })
          : null;
        if (other !== null) return other;
        throw error;
      }
    },

    /**
     * New params are laid over the current ones, `agent_weights` by key, and count from the next tick.
     * Returns their version.
     */
    async update(
      strategyId: string,
      edit: { actor: string; name?: string; description?: string; params?: JsonObject },
      current: { definition: Definition; params: JsonObject; paramsVersion: number },
    ): Promise<number> {
      const params =
        edit.params === undefined
          ? undefined
          : completeParams(
              dependencies.decisions,
              current.definition,
              mergeParams(current.params, edit.params),
            );
      const version = await updateStrategy(database, {
        strategyId: stored(strategyId),
        actor: edit.actor,
        ...(edit.name === undefined ? {} : { name: edit.name }),
        ...(edit.description === undefined ? {} : { description: edit.description }),
        ...(params === undefined ? {} : { params, paramsVersion: current.paramsVersion }),
      });
      onChange();
      return version;
    },

    /** Durable once it returns (I14); carried out in the strategy's own order of messages. */
    async stop(
      strategyId: string,
      request: { closePositions: boolean; reason: string; actor: string; commandId?: string },
    ): Promise<{ commandId: string; outcome: ControlOutcome }> {
      const commandId = stored(request.commandId ?? crypto.randomUUID());
      const wish = { ...request, strategyId: stored(strategyId), commandId };
      const outcome = await requestStop(dependencies, wish);
      onChange();
      return { commandId, outcome };
    },

    /** @throws DomainError INVALID_TRANSITION while a stop is still being carried out */
    async resume(
      strategyId: string,
      request: { actor: string; commandId?: string },
    ): Promise<{ commandId: string; outcome: ControlOutcome }> {
      const commandId = stored(request.commandId ?? crypto.randomUUID());
      const outcome = await requestResume(dependencies, {
        strategyId: stored(strategyId),
        commandId,
        actor: request.actor,
      });
      onChange();
      return { commandId, outcome };
    },

    /**
     * Takes a stopped strategy out of every list; its history stays.
     * @throws DomainError INVALID_TRANSITION unless it is stopped
     */
    async archive(strategyId: string, { actor }: { actor: string }): Promise<void> {
      await archiveStrategy(database, { strategyId: stored(strategyId), actor });
      onChange();
    },
  };
}

/** An id as the store has it, whatever case it was given in. */
function stored(id: string): string {
  return id.toLowerCase();
}

function toNew(
  dependencies: StrategyServiceDependencies,
  definition: Definition,
  { userId, request }: { userId: string; request: NewStrategyRequest },
): NewStrategy {
  const id = stored(request.strategyId ?? crypto.randomUUID());
  const initialBalance = amountOf(request.initialBalance);
  const { marketType } = dependencies.channels.get(definition.tradeChannel);
  return {
    id,
    userId,
    name: request.name,
    description: request.description ?? "",
    params: completeParams(dependencies.decisions, definition, request.params ?? {}),
    initialBalance,
    tags: request.tags ?? [],
    envelope: sealAt({
      value: "running",
      context: {
        strategyId: id,
        ledger: openLedger({ marketType, initialBalance }),
        decisionState: null,
        protections: [],
        cycleIndex: 0,
        lastTickFor: null,
        pending: null,
        stop: null,
      },
    }),
  };
}

/** @throws InvalidInputError where nothing could ever be ordered, or the params are refused */
function warningsAbout(
  dependencies: StrategyServiceDependencies,
  definition: Definition,
  { initialBalance, params = {} }: CreateRequest,
): Pick<CreatedStrategy, "warnings"> {
  const sizes = sizesOf(dependencies, definition, {
    balance: amountOf(initialBalance),
    params: completeParams(dependencies.decisions, definition, params),
  });
  const warnings = sizeWarnings(sizes, definition);
  return warnings.length === 0 ? {} : { warnings };
}

/** What an earlier request with the same id has made; null when there is none. */
async function createdBefore(
  dependencies: StrategyServiceDependencies,
  asked: { definition: Definition; owner: Owner; request: CreateRequest },
): Promise<CreatedStrategy | null> {
  const { definition, owner, request } = asked;
  const { initialBalance, strategyId } = request;
  if (strategyId === undefined) return null;
  const found = await findStrategy(dependencies.database, strategyId);
  if (found === null) return null;
  // Name and params may have been edited since; these never are.
  const isSame =
    found.definitionId === definition.id &&
    found.userId === owner.id &&
    found.initialBalance === amountOf(initialBalance);
  if (isSame) {
    const { id, name } = found;
    const warnings = warningsAbout(dependencies, definition, request);
    return { strategyId: id, name, initialBalance: found.initialBalance, ...warnings };
  }
  const message = "another strategy has this id: send a new random one, or none";
  throw new DomainError("DUPLICATE", `strategyId: ${message}`, {
    fields: [{ field: "strategyId", message }],
  });
}

/** Numbered by what its owner has of that template; two at a time may get the same number. */
async function nextName(
  database: Database,
  { id: definitionId, displayName }: Definition,
  { id: userId, fullName }: Owner,
): Promise<string> {
  const { total } = await countStrategies(database, { userId, definitionId });
  return `${displayName} - ${fullName} - #${total + 1}`;
}

function mergeParams(current: JsonObject, edit: JsonObject): JsonObject {
  const { agent_weights: before } = current;
  const { agent_weights: after } = edit;
  if (!isObject(before) || !isObject(after)) return { ...current, ...edit };
  return { ...current, ...edit, agent_weights: { ...before, ...after } };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The whole of a strategy's params as stored: defaults of definition and agent filled in. */
function completeParams(
  decisions: Decisions,
  { decisionAgent, defaultParams }: Definition,
  params: JsonObject,
): JsonObject {
  const parsed = decisions.parseParams(decisionAgent, params, defaultParams);
  if (isObject(parsed)) return parsed;
  throw new InvariantError(`params of ${decisionAgent} are no object`);
}

function amountOf(text: string): DecimalString {
  const amount = parseAmount(text);
  if (amount !== null) return amount;
  const message = amountExpected(text);
  throw new InvalidInputError("INVALID_INPUT", `initialBalance: ${message}`, {
    fields: [{ field: "initialBalance", message }],
  });
}
