import type { Database } from "#persistence/database.ts";
import { text } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";
import type { Outbox } from "#ports/work-queue.ts";

const unfulfilled = `
  archived_at is null and (
    (desired_status = 'stopped' and state <> 'stopped')
    or (desired_status = 'running' and state = 'stopped'))`;

// All at once: a boot may find as many as there are strategies.
export const statements = {
  // The new roster version tells their owner on another node to look again.
  lockShards: `
    update shards set roster_version = roster_version + 1, updated_at = now()
    where id in (select shard_id from strategies where ${unfulfilled})`,
  complete: `
    update strategies set
      stop_command_id = case desired_status
        when 'stopped' then coalesce(stop_command_id, gen_random_uuid()) end,
      stop_close_positions = case desired_status
        when 'stopped' then coalesce(stop_close_positions, false) end,
      stop_request_reason = case desired_status
        when 'stopped' then coalesce(stop_request_reason, 'asked for in the database') end,
      updated_at = now()
    where ${unfulfilled}
    returning id, shard_id, coalesce(stop_command_id, gen_random_uuid()) as command_id`,
};

/**
 * Sends the command again of every strategy that is not yet as its owner wants it, whatever became of
 * the message that was to see to it (I14): one too many finds nothing left to do. Returns their ids.
 */
export function resendControls(database: Database, queue: Outbox): Promise<string[]> {
  return database.transactional(async (transaction) => {
    // The shard first, then the strategy, as every writer takes them.
    await transaction.run(statements.lockShards);
    const rows = await transaction.rows(statements.complete);
    await queue.send("shards", rows.map(messageOf), transaction.transaction);
    return rows.map((row) => text(row, "id"));
  });
}

function messageOf(row: Row) {
  const body = {
    kind: "command",
    strategyId: text(row, "id"),
    commandId: text(row, "command_id"),
  };
  return { key: text(row, "shard_id"), body };
}
