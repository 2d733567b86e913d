import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import { StopCause } from "#domain/strategy.ts";
import type { EngineStore, Member, ShardHead, StoredActor } from "#ports/store.ts";
import { raiseAlerts } from "#persistence/repositories/alerts.repository.ts";
import type { Database } from "#persistence/database.ts";
import { flag, json, number, oneOf, oneOfOrNull, text, textOrNull } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";

export type ShardStore = Pick<
  EngineStore,
  "shardHead" | "shardHeads" | "members" | "actors" | "isolate" | "dismiss" | "raiseAlert"
>;

/** Marks a strategy stopped by an error; its snapshot stays as it is. Params: id, detail. */
export const stopForError = `
  update strategies set
    status = 'stopped', state = 'stopped', desired_status = 'stopped',
    stop_reason = 'error', stop_reason_detail = $2,
    stop_command_id = null, stop_close_positions = null, stop_request_reason = null,
    stop_request_cause = null, updated_at = now()
  where id = $1`;

/** The columns `envelopeOf` reads, of `actor_snapshots` under the alias `a`. */
export const envelopeColumns = "a.machine, a.version, a.value, a.hash, a.snapshot";

const headColumns = "id, definition_id, version, roster_version, fanned_tick_id";

export const statements = {
  stopForError,
  head: `select ${headColumns} from shards where id = $1`,
  heads: `select ${headColumns} from shards order by definition_id, number`,
  members: `
    select id, desired_status, stop_command_id, stop_close_positions, stop_request_reason,
      stop_request_cause, instance_params, params_version, state
    from strategies where shard_id = $1 and archived_at is null order by created_at, id`,
  actors: `
    select a.strategy_id, a.seq, ${envelopeColumns} from actor_snapshots a
    where a.strategy_id = any($1::uuid[])`,
};

/** Shards, their members and the members' actors. */
export function createShardStore(database: Database): ShardStore {
  const { sql } = database;
  return {
    async shardHead(shardId) {
      const [row] = await sql.rows(statements.head, [shardId]);
      return row === undefined ? null : headOf(row);
    },
    async shardHeads() {
      return (await sql.rows(statements.heads)).map(headOf);
    },
    async members(shardId) {
      return (await sql.rows(statements.members, [shardId])).map(memberOf);
    },
    async actors(strategyIds) {
      return (await sql.rows(statements.actors, [strategyIds])).map(actorOf);
    },
    isolate: (strategyId, detail) =>
      database.transactional(async (tx) => {
        await tx.run(stopForError, [strategyId, detail]);
        await raiseAlerts(tx, [
          {
            kind: "snapshot_unusable",
            severity: "error",
            subject: strategyId,
            strategyId,
            message: "the stored state cannot be restored, the strategy is stopped",
            detail: { reason: detail },
          },
        ]);
      }),
    dismiss: (claim) => database.transactional((tx) => claim.settle(tx.transaction)),
    raiseAlert: (alert) => raiseAlerts(sql, [alert]),
  };
}

export function envelopeOf(row: Row): SnapshotEnvelope {
  return {
    machine: text(row, "machine"),
    version: number(row, "version"),
    value: text(row, "value"),
    hash: text(row, "hash"),
    snapshot: text(row, "snapshot"),
  };
}

function headOf(row: Row): ShardHead {
  return {
    id: text(row, "id"),
    definitionId: text(row, "definition_id"),
    version: number(row, "version"),
    rosterVersion: number(row, "roster_version"),
    fannedTickId: textOrNull(row, "fanned_tick_id"),
  };
}

function memberOf(row: Row): Member {
  const commandId = textOrNull(row, "stop_command_id");
  return {
    strategyId: text(row, "id"),
    desiredStatus: oneOf(row, "desired_status"),
    stopRequest:
      commandId === null
        ? null
        : {
            commandId,
            closePositions: flag(row, "stop_close_positions"),
            reason: text(row, "stop_request_reason"),
            cause: oneOfOrNull(row, "stop_request_cause") ?? StopCause.request,
          },
    params: json(row, "instance_params"),
    paramsVersion: number(row, "params_version"),
    state: oneOf(row, "state"),
  };
}

function actorOf(row: Row): StoredActor {
  return {
    strategyId: text(row, "strategy_id"),
    envelope: envelopeOf(row),
    seq: number(row, "seq"),
  };
}
