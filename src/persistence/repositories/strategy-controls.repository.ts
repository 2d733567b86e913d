import { DomainError, NotFoundError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { StopCause } from "#domain/strategy.ts";
import { now } from "#entities/columns.ts";
import { StrategyParamVersion } from "#entities/strategy-param-version.entity.ts";
import { type RiskLevel, Strategy } from "#entities/strategy.entity.ts";
import { noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { Outbox } from "#ports/work-queue.ts";
import type { Database, OpenTransaction } from "#persistence/database.ts";
import { byIndexOnly } from "#persistence/sql.ts";
import { audit } from "./audit.repository.ts";

export interface StrategyEdit {
  strategyId: string;
  actor: string;
  name?: string;
  description?: string;
  /** The whole of the new params, validated by the caller. */
  params?: JsonObject;
  /** The version those were made from: an edit meanwhile is a conflict, not overwritten. */
  paramsVersion?: number;
  tags?: string[];
  riskLevel?: RiskLevel;
}

export interface StopStrategy {
  strategyId: string;
  /** Chosen by the caller: asking again with the same id is the same request. */
  commandId: string;
  closePositions: boolean;
  reason: string;
  actor: string;
  cause?: StopCause;
}

export interface ResumeStrategy {
  strategyId: string;
  commandId: string;
  actor: string;
}

/** What a request is stored with. */
export interface ControlDependencies {
  database: Database;
  queue: Outbox;
  failpoint?: OnFailpoint;
}

/** Whether there was anything to do. */
export type ControlOutcome = "requested" | "unchanged";

// Found and locked in one statement; the ORM would first read the shard's id, and then lock it.
export const statements = {
  lockShard: `
    update shards set roster_version = roster_version + 1, updated_at = now()
    where id = (select shard_id from strategies where id = $1 and archived_at is null)
    returning ${byIndexOnly}`,
};

/**
 * Changes name, description, tags or params; new params are a new version that takes effect at the
 * next tick. Returns the params version.
 * @throws NotFoundError STRATEGY_NOT_FOUND
 */
export function updateStrategy(database: Database, edit: StrategyEdit): Promise<number> {
  return database.transactional(async (transaction) => {
    const { em } = transaction;
    const strategy = await lockStrategy(transaction, edit.strategyId);
    const version = nextParamsVersion(strategy, edit);
    apply(edit, strategy);
    strategy.paramsVersion = version;
    const { strategyId, actor, ...changed } = edit;
    if (edit.params !== undefined) {
      const { params } = edit;
      em.create(StrategyParamVersion, { strategy, version, params, changedBy: actor });
    }
    auditStrategy(transaction, { strategyId, actor, action: "update", detail: { ...changed } });
    return version;
  });
}

function apply(edit: StrategyEdit, strategy: Strategy): void {
  strategy.instanceName = edit.name ?? strategy.instanceName;
  strategy.instanceDescription = edit.description ?? strategy.instanceDescription;
  strategy.instanceParams = edit.params ?? strategy.instanceParams;
  strategy.tags = edit.tags ?? strategy.tags;
  strategy.riskLevel = edit.riskLevel ?? strategy.riskLevel;
}

function nextParamsVersion({ paramsVersion }: Strategy, edit: StrategyEdit): number {
  if (edit.paramsVersion !== undefined && edit.paramsVersion !== paramsVersion) {
    const message = `expected params version ${edit.paramsVersion} of strategy ${edit.strategyId}, was ${paramsVersion}: somebody else has edited them, read them again`;
    throw new DomainError("VERSION_CONFLICT", message);
  }
  return edit.params === undefined ? paramsVersion : paramsVersion + 1;
}

/**
 * Asks for a stop. Once this returns the wish and the message that carries it are stored: no crash
 * loses it and no boot resumes the strategy (I9, I14).
 * @throws NotFoundError STRATEGY_NOT_FOUND
 */
export async function requestStop(
  { database, queue, failpoint = noFailpoints }: ControlDependencies,
  request: StopStrategy,
): Promise<ControlOutcome> {
  const { strategyId, commandId, closePositions, reason, actor, cause = "request" } = request;
  failpoint("control.before-request");
  const outcome = await database.transactional(async (transaction): Promise<ControlOutcome> => {
    const strategy = await lockStrategy(transaction, strategyId);
    const { desiredStatus, state, stopCommandId } = strategy;
    // Stopped and to be resumed is not stopped: the newer wish counts.
    const isStopped = state === "stopped" && desiredStatus === "stopped";
    if (isStopped || stopCommandId === commandId) return "unchanged";
    // It is to stop already: whoever asked first is carried out as asked.
    if (cause === "error" && desiredStatus === "stopped") return "unchanged";
    strategy.desiredStatus = "stopped";
    strategy.stopCommandId = commandId;
    strategy.stopClosePositions = closePositions;
    strategy.stopRequestReason = reason;
    strategy.stopRequestCause = cause;
    await transaction.em.flush();
    failpoint("control.in-request.wish-written");
    await sendCommand(transaction, queue, { strategy, commandId });
    failpoint("control.in-request.message-sent");
    const detail = { commandId, closePositions, reason };
    auditStrategy(transaction, { strategyId, actor, action: "stop", detail });
    return "requested";
  });
  failpoint("control.after-request");
  return outcome;
}

/**
 * Asks for a stopped strategy to run again, as durable as a stop.
 * @throws NotFoundError STRATEGY_NOT_FOUND, DomainError INVALID_TRANSITION while a stop is under way
 */
export async function requestResume(
  { database, queue, failpoint = noFailpoints }: ControlDependencies,
  { strategyId, commandId, actor }: ResumeStrategy,
): Promise<ControlOutcome> {
  failpoint("control.before-request");
  const outcome = await database.transactional(async (transaction): Promise<ControlOutcome> => {
    const strategy = await lockStrategy(transaction, strategyId);
    if (strategy.desiredStatus === "running") return "unchanged";
    // The stop may have sent orders by now; it is carried out before anything else.
    if (strategy.state !== "stopped") {
      const message = `strategy ${strategyId} is still stopping; resume it when it is stopped`;
      throw new DomainError("INVALID_TRANSITION", message);
    }
    strategy.desiredStatus = "running";
    strategy.stopCommandId = null;
    strategy.stopClosePositions = null;
    strategy.stopRequestReason = null;
    strategy.stopRequestCause = null;
    await transaction.em.flush();
    failpoint("control.in-request.wish-written");
    await sendCommand(transaction, queue, { strategy, commandId });
    failpoint("control.in-request.message-sent");
    auditStrategy(transaction, { strategyId, actor, action: "resume", detail: { commandId } });
    return "requested";
  });
  failpoint("control.after-request");
  return outcome;
}

/**
 * Takes a stopped strategy out of every list and frees its seat; its history stays.
 * @throws NotFoundError STRATEGY_NOT_FOUND, DomainError INVALID_TRANSITION unless it is stopped
 * @public for the API's delete
 */
export function archiveStrategy(
  database: Database,
  { strategyId, actor }: { strategyId: string; actor: string },
): Promise<void> {
  return database.transactional(async (transaction) => {
    const strategy = await lockStrategy(transaction, strategyId);
    if (strategy.state !== "stopped" || strategy.desiredStatus !== "stopped") {
      const message = `strategy ${strategyId} must be stopped before it can be deleted`;
      throw new DomainError("INVALID_TRANSITION", message);
    }
    strategy.archivedAt = now();
    strategy.isActive = false;
    auditStrategy(transaction, { strategyId, actor, action: "archive", detail: {} });
  });
}

// The shard first, then the strategy, as a commit of the journal takes them: no deadlock, and what is
// read here cannot change under us. The new roster version tells the owner to look again.
async function lockStrategy(transaction: OpenTransaction, strategyId: string): Promise<Strategy> {
  const locked = await transaction.run(statements.lockShard, [strategyId]);
  const strategy =
    locked === 1
      ? await transaction.em.findOne(Strategy, { id: strategyId, archivedAt: null })
      : null;
  if (strategy !== null) return strategy;
  throw new NotFoundError("STRATEGY_NOT_FOUND", `no strategy ${strategyId}`);
}

async function sendCommand(
  { transaction }: OpenTransaction,
  queue: Outbox,
  { strategy, commandId }: { strategy: Strategy; commandId: string },
): Promise<void> {
  const body = { kind: "command", strategyId: strategy.id, commandId };
  await queue.send("shards", [{ key: strategy.shard.id, body }], transaction);
}

function auditStrategy(
  transaction: OpenTransaction,
  entry: { strategyId: string; actor: string; action: string; detail: JsonObject },
): void {
  audit(transaction, {
    actor: entry.actor,
    action: `strategy.${entry.action}`,
    subjectType: "strategy",
    subjectId: entry.strategyId,
    detail: entry.detail,
  });
}
