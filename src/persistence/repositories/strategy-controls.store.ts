import { DomainError, NotFoundError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DesiredStatus, StrategyState } from "#domain/strategy.ts";
import type { RiskLevel } from "#entities/strategy.entity.ts";
import { noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { audit } from "./audit.ts";
import type { Database } from "#persistence/database.ts";
import { number, oneOf, text, textOrNull } from "#persistence/rows.ts";
import { byIndexOnly, type SqlTransaction } from "#persistence/sql.ts";

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
}

export interface ResumeStrategy {
  strategyId: string;
  commandId: string;
  actor: string;
}

/** What a request is stored with. */
export interface ControlDependencies {
  database: Database;
  queue: WorkQueue;
  failpoint?: OnFailpoint;
}

/** Whether there was anything to do. */
export type ControlOutcome = "requested" | "unchanged";

interface Subject {
  shardId: string;
  state: StrategyState;
  desiredStatus: DesiredStatus;
  stopCommandId: string | null;
  paramsVersion: number;
}

const subject = `
  select shard_id, state, desired_status, stop_command_id, params_version, ${byIndexOnly}
  from strategies where id = $1 and archived_at is null`;

/**
 * Changes name, description, tags or params; new params are a new version that takes effect at the
 * next tick. Returns the params version.
 * @throws NotFoundError STRATEGY_NOT_FOUND
 */
export function updateStrategy(database: Database, edit: StrategyEdit): Promise<number> {
  return database.transactional(async (sql) => {
    const { paramsVersion } = await lockSubject(sql, edit.strategyId);
    if (edit.paramsVersion !== undefined && edit.paramsVersion !== paramsVersion) {
      const message = `expected params version ${edit.paramsVersion} of strategy ${edit.strategyId}, was ${paramsVersion}: somebody else has edited them, read them again`;
      throw new DomainError("VERSION_CONFLICT", message);
    }
    const version = edit.params === undefined ? paramsVersion : paramsVersion + 1;
    await sql.run(
      `update strategies set
         instance_name = coalesce($2, instance_name),
         instance_description = coalesce($3, instance_description),
         instance_params = coalesce($4::jsonb, instance_params), params_version = $5,
         tags = coalesce($6::jsonb, tags), risk_level = coalesce($7, risk_level),
         updated_at = now()
       where id = $1`,
      [
        edit.strategyId,
        edit.name ?? null,
        edit.description ?? null,
        jsonOf(edit.params),
        version,
        jsonOf(edit.tags),
        edit.riskLevel ?? null,
      ],
    );
    if (edit.params !== undefined) {
      await sql.run(
        `insert into strategy_param_versions (strategy_id, version, params, changed_by)
         values ($1, $2, $3, $4)`,
        [edit.strategyId, version, jsonOf(edit.params), edit.actor],
      );
    }
    const { strategyId, actor, ...changed } = edit;
    await auditStrategy(sql, { strategyId, actor, action: "update", detail: { ...changed } });
    return version;
  });
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
  const { strategyId, commandId, closePositions, reason, actor } = request;
  failpoint("control.before-request");
  const outcome = await database.transactional(async (sql): Promise<ControlOutcome> => {
    const { desiredStatus, shardId, state, stopCommandId } = await lockSubject(sql, strategyId);
    // Stopped and to be resumed is not stopped: the newer wish counts.
    const isStopped = state === "stopped" && desiredStatus === "stopped";
    if (isStopped || stopCommandId === commandId) return "unchanged";
    await sql.run(
      `update strategies set desired_status = 'stopped', stop_command_id = $2,
         stop_close_positions = $3, stop_request_reason = $4, updated_at = now()
       where id = $1`,
      [strategyId, commandId, closePositions, reason],
    );
    failpoint("control.in-request.wish-written");
    await sendCommand(sql, queue, { shardId, strategyId, commandId });
    failpoint("control.in-request.message-sent");
    const detail = { commandId, closePositions, reason };
    await auditStrategy(sql, { strategyId, actor, action: "stop", detail });
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
  const outcome = await database.transactional(async (sql): Promise<ControlOutcome> => {
    const { shardId, state, desiredStatus } = await lockSubject(sql, strategyId);
    if (desiredStatus === "running") return "unchanged";
    // The stop may have sent orders by now; it is carried out before anything else.
    if (state !== "stopped") {
      const message = `strategy ${strategyId} is still stopping; resume it when it is stopped`;
      throw new DomainError("INVALID_TRANSITION", message);
    }
    await sql.run(
      `update strategies set desired_status = 'running', stop_command_id = null,
         stop_close_positions = null, stop_request_reason = null, updated_at = now()
       where id = $1`,
      [strategyId],
    );
    failpoint("control.in-request.wish-written");
    await sendCommand(sql, queue, { shardId, strategyId, commandId });
    failpoint("control.in-request.message-sent");
    await auditStrategy(sql, { strategyId, actor, action: "resume", detail: { commandId } });
    return "requested";
  });
  failpoint("control.after-request");
  return outcome;
}

/**
 * Takes a stopped strategy out of every list and frees its seat; its history stays.
 * @throws NotFoundError STRATEGY_NOT_FOUND, DomainError INVALID_TRANSITION unless it is stopped
 */
export function archiveStrategy(
  database: Database,
  { strategyId, actor }: { strategyId: string; actor: string },
): Promise<void> {
  return database.transactional(async (sql) => {
    const { state, desiredStatus } = await lockSubject(sql, strategyId);
    if (state !== "stopped" || desiredStatus !== "stopped") {
      const message = `strategy ${strategyId} must be stopped before it can be deleted`;
      throw new DomainError("INVALID_TRANSITION", message);
    }
    await sql.run(
      "update strategies set archived_at = now(), is_active = false, updated_at = now() where id = $1",
      [strategyId],
    );
    await auditStrategy(sql, { strategyId, actor, action: "archive", detail: {} });
  });
}

// The shard first, then the strategy, as a commit of the journal takes them: no deadlock, and what is
// read here cannot change under us. The new roster version tells the owner to look again.
async function lockSubject(sql: SqlTransaction, strategyId: string): Promise<Subject> {
  const locked = await sql.run(
    `update shards set roster_version = roster_version + 1, updated_at = now()
     where id = (select shard_id from strategies where id = $1 and archived_at is null)`,
    [strategyId],
  );
  const [row] = locked === 1 ? await sql.rows(subject, [strategyId]) : [];
  if (row === undefined) {
    throw new NotFoundError("STRATEGY_NOT_FOUND", `no strategy ${strategyId}`);
  }
  return {
    shardId: text(row, "shard_id"),
    state: oneOf(row, "state"),
    desiredStatus: oneOf(row, "desired_status"),
    stopCommandId: textOrNull(row, "stop_command_id"),
    paramsVersion: number(row, "params_version"),
  };
}

async function sendCommand(
  sql: SqlTransaction,
  queue: WorkQueue,
  { shardId, strategyId, commandId }: Record<"shardId" | "strategyId" | "commandId", string>,
): Promise<void> {
  const body = { kind: "command", strategyId, commandId };
  await queue.send("shards", [{ key: shardId, body }], sql.transaction);
}

async function auditStrategy(
  sql: SqlTransaction,
  entry: { strategyId: string; actor: string; action: string; detail: JsonObject },
): Promise<void> {
  await audit(sql, [
    {
      actor: entry.actor,
      action: `strategy.${entry.action}`,
      subjectType: "strategy",
      subjectId: entry.strategyId,
      detail: entry.detail,
    },
  ]);
}

function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
