import { randomUUID } from "node:crypto";
import type { DecimalString } from "#domain/decimal.ts";
import { DomainError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { TradingMode } from "#domain/trading.ts";
import { Shard } from "#entities/shard.entity.ts";
import type { RiskLevel } from "#entities/strategy.entity.ts";
import type { Database, OpenTransaction } from "#persistence/database.ts";
import { batchOf } from "#persistence/hot/batch.ts";
import { snapshots } from "#persistence/hot/cycle-batches.ts";
import { number, text } from "#persistence/rows.ts";
import type { SqlTransaction } from "#persistence/sql.ts";
import { lockDefinition } from "./definitions.repository.ts";

export interface NewStrategy {
  /** Random, chosen by the caller: the envelope's context names it. */
  id: string;
  userId: string;
  name: string;
  description?: string;
  params: JsonObject;
  tradingMode?: TradingMode;
  initialBalance: DecimalString;
  tags?: string[];
  riskLevel?: RiskLevel;
  metadata?: JsonObject;
  /** The actor's first snapshot. */
  envelope: SnapshotEnvelope;
}

export interface CreateStrategies {
  definitionId: string;
  /** Most members of one shard. */
  shardSize: number;
  /** For the audit. */
  actor: string;
  strategies: readonly NewStrategy[];
}

const strategyBatch = batchOf({
  id: "uuid",
  strategy_definition_id: "uuid",
  user_id: "uuid",
  shard_id: "uuid",
  instance_name: "text",
  instance_description: "text",
  instance_params: "jsonb",
  trading_mode: "text",
  initial_balance: "numeric",
  current_balance: "numeric",
  total_value: "numeric",
  realized_pnl: "numeric",
  unrealized_pnl: "numeric",
  total_pnl: "numeric",
  max_drawdown: "numeric",
  peak_value: "numeric",
  strategy_metadata: "jsonb",
  tags: "jsonb",
  risk_level: "text",
});

const paramsBatch = batchOf({
  strategy_id: "uuid",
  version: "int",
  params: "jsonb",
  changed_by: "text",
});

const auditBatch = batchOf({
  actor: "text",
  action: "text",
  subject_type: "text",
  subject_id: "text",
  detail: "jsonb",
});

// Ten thousand may be created at once. Measured on PostgreSQL: these take 2.1 s for all four tables, the
// ORM's multi-row insert 1.7 s for the strategies alone, and its unit of work 3.3 s.
export const statements = {
  seats: `
    select sh.id, sh.number, count(s.id)::int as taken
    from shards sh left join strategies s on s.shard_id = sh.id and s.archived_at is null
    where sh.definition_id = $1
    group by sh.id order by sh.number`,
  insertStrategies: strategyBatch.insertInto("strategies"),
  insertParams: paramsBatch.insertInto("strategy_param_versions"),
  insertSnapshots: snapshots.insertInto("actor_snapshots"),
  insertAudit: auditBatch.insertInto("audit_log"),
  // In id order, like every statement that locks several shards.
  bumpRosters: `
    update shards set roster_version = roster_version + 1, updated_at = now()
    where id in (select id from shards where id = any($1::uuid[]) order by id for update)`,
};

/**
 * Stores new strategies, each with its first params version and its actor's first snapshot, and gives
 * each a shard: the first with a free seat, else a new one. All or nothing, in a fixed number of
 * statements.
 * @throws NotFoundError DEFINITION_NOT_FOUND, DomainError DEFINITION_INACTIVE
 */
export function createStrategies(database: Database, request: CreateStrategies): Promise<void> {
  return database.transactional(async (transaction) => {
    const { name, isActive } = await lockDefinition(transaction, request.definitionId);
    if (!isActive) {
      throw new DomainError("DEFINITION_INACTIVE", `definition ${name} is not active`);
    }
    const shardIds = await assignShards(transaction, request);
    await insert(transaction, request, shardIds);
    await transaction.run(statements.bumpRosters, [[...new Set(shardIds)]]);
  });
}

async function insert(
  sql: SqlTransaction,
  { actor, definitionId, strategies }: CreateStrategies,
  shardIds: readonly string[],
): Promise<void> {
  const rows = strategies.map((strategy, index) =>
    strategyRow(strategy, { definitionId, shardId: shardIds[index] }),
  );
  await sql.run(statements.insertStrategies, strategyBatch.params(rows));
  const firstParams = strategies.map(({ id, params }) => ({
    strategy_id: id,
    version: 1,
    params,
    changed_by: actor,
  }));
  await sql.run(statements.insertParams, paramsBatch.params(firstParams));
  const first = strategies.map(({ id, envelope }) => ({ strategyId: id, seq: 0, envelope }));
  await sql.run(statements.insertSnapshots, snapshots.params(first));
  const audited = strategies.map(({ id, name }) => ({
    actor,
    action: "strategy.create",
    subject_type: "strategy",
    subject_id: id,
    detail: { name, definitionId },
  }));
  await sql.run(statements.insertAudit, auditBatch.params(audited));
}

/** The shard of each strategy, in their order; new shards are stored. */
async function assignShards(
  transaction: OpenTransaction,
  { definitionId, shardSize, strategies }: CreateStrategies,
): Promise<string[]> {
  const rows = await transaction.rows(statements.seats, [definitionId]);
  const free = rows.flatMap((row) => {
    const seatsLeft = Math.max(0, shardSize - number(row, "taken"));
    return Array.from({ length: seatsLeft }, () => text(row, "id"));
  });
  const missing = Math.max(0, strategies.length - free.length);
  const next = Math.max(-1, ...rows.map((row) => number(row, "number"))) + 1;
  const added = Array.from({ length: Math.ceil(missing / shardSize) }, (_, index) => ({
    id: randomUUID(),
    definition: definitionId,
    number: next + index,
  }));
  if (added.length > 0) await transaction.em.insertMany(Shard, added);
  const addedSeats = added.flatMap(({ id }) => Array.from({ length: shardSize }, () => id));
  return [...free, ...addedSeats].slice(0, strategies.length);
}

function strategyRow(
  strategy: NewStrategy,
  { definitionId, shardId }: { definitionId: string; shardId: string | undefined },
) {
  const balance = strategy.initialBalance;
  return {
    id: strategy.id,
    strategy_definition_id: definitionId,
    user_id: strategy.userId,
    shard_id: shardId,
    instance_name: strategy.name,
    instance_description: strategy.description ?? "",
    instance_params: strategy.params,
    trading_mode: strategy.tradingMode ?? "paper",
    initial_balance: balance,
    current_balance: balance,
    total_value: balance,
    realized_pnl: "0",
    unrealized_pnl: "0",
    total_pnl: "0",
    max_drawdown: "0",
    peak_value: balance,
    strategy_metadata: strategy.metadata ?? {},
    tags: strategy.tags ?? [],
    risk_level: strategy.riskLevel ?? "medium",
  };
}
