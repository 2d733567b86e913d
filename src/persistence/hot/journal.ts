import { FencedError } from "#domain/errors.ts";
import { noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import type { Journal, MemberWrite, ShardCommit, ShardCommitResult } from "#ports/store.ts";
import { raiseAlerts } from "#persistence/repositories/alerts.repository.ts";
import type { Database } from "#persistence/database.ts";
import { writeMembers } from "./member-writes.ts";
import { number } from "#persistence/rows.ts";
import { byIndexOnly, type SqlTransaction } from "#persistence/sql.ts";

/**
 * The fence and the shard's count. Params: shard, version, tick, finish, cycles, failures. The counts
 * are of the tick last handed to the shard; a late commit of an older one adds nothing.
 */
export const moveVersion = `
  update shards set
    version = version + 1,
    settled_tick_id = case when fanned_tick_id = $3::uuid and $4::boolean
      then fanned_tick_id else settled_tick_id end,
    settled_cycles = settled_cycles + case when fanned_tick_id = $3::uuid then $5::int else 0 end,
    settled_failures = settled_failures + case when fanned_tick_id = $3::uuid then $6::int else 0 end,
    updated_at = now()
  where id = $1 and version = $2 and ($3::uuid is null or fanned_tick_id = $3::uuid)
  returning version, roster_version, ${byIndexOnly}`;

const correctCounts = `
  update shards set
    settled_cycles = settled_cycles + $3::int, settled_failures = settled_failures + $4::int
  where id = $1 and fanned_tick_id = $2`;

export const statements = { moveVersion, correctCounts };

interface Counts {
  cycles: number;
  failures: number;
}

/** The write side of what strategies did: there is no other. */
export function createJournal(database: Database, failpoint: OnFailpoint = noFailpoints): Journal {
  return {
    commit: (commit) => database.transactional((sql) => commitShard(sql, commit, failpoint)),
  };
}

async function commitShard(
  sql: SqlTransaction,
  commit: ShardCommit,
  failpoint: OnFailpoint,
): Promise<ShardCommitResult> {
  // Invariant I7, in this order: the claim, the version, the rows. A node that lost the first or
  // the second learns it before it has written anything.
  if (commit.finish) await commit.claim?.settle(sql.transaction);
  else await commit.claim?.hold(sql.transaction);
  failpoint("journal.in-commit.claim-confirmed");
  const hoped = countsOf(commit, commit.writes);
  const head = await fence(sql, commit, hoped);
  failpoint("journal.in-commit.version-moved");

  const outcome = await writeMembers(sql, commit);
  failpoint("journal.in-commit.members-written");
  const stored = countsOf(commit, outcome.stored);
  stored.failures += outcome.stopped;
  if (stored.cycles !== hoped.cycles || stored.failures !== hoped.failures) {
    await sql.run(correctCounts, [
      commit.shardId,
      commit.tickId,
      stored.cycles - hoped.cycles,
      stored.failures - hoped.failures,
    ]);
    failpoint("journal.in-commit.counts-corrected");
  }
  await raiseAlerts(sql, [...commit.alerts, ...outcome.alerts]);
  failpoint("journal.in-commit.all-written");
  return { ...head, stored: outcome.stored };
}

async function fence(sql: SqlTransaction, commit: ShardCommit, counts: Counts) {
  const [row] = await sql.rows(moveVersion, [
    commit.shardId,
    commit.version,
    commit.tickId,
    commit.finish,
    counts.cycles,
    counts.failures,
  ]);
  if (row === undefined) {
    const tick = commit.tickId === null ? "" : ` of tick ${commit.tickId}`;
    const message = `shard ${commit.shardId} is no longer at version ${commit.version}${tick}`;
    throw new FencedError(message);
  }
  return { version: number(row, "version"), rosterVersion: number(row, "roster_version") };
}

function countsOf({ tickId }: ShardCommit, writes: readonly MemberWrite[]): Counts {
  const cycles = writes
    .flatMap((write) => write.cycle ?? [])
    .filter((cycle) => tickId !== null && cycle.tickId === tickId);
  return {
    cycles: cycles.length,
    failures: cycles.filter((cycle) => cycle.status === "failed").length,
  };
}
