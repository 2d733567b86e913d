import { DomainError, errorMessage } from "#domain/errors.ts";
import type { MemberWrite, NewAlert, ShardCommit } from "#ports/store.ts";
import { answersParams, membersParams, storeMembers, updateInstructions } from "./cycle-rows.ts";
import { databaseFault, isDataError } from "#persistence/errors.ts";
import { number, oneOf, oneOfOrNull, textOrNull } from "#persistence/rows.ts";
import { envelopeColumns, envelopeOf, stopForError } from "./shards.store.ts";
import type { Sql } from "#persistence/sql.ts";

export interface WritesOutcome {
  /** Per member what the database holds now, in the order given. */
  stored: MemberWrite[];
  alerts: NewAlert[];
  /** Members stopped because nothing about them could be stored. */
  stopped: number;
}

interface Batch {
  sql: Sql;
  commit: Pick<ShardCommit, "replace">;
  outcome: WritesOutcome;
}

// By cause, by tick or by number: the same cycle in any of its names.
const sameCycle = `
  select 1 from strategy_compose_cycles
  where strategy_id = $1 and (compose_id = $2 or tick_id = $3::uuid or cycle_index = $4)`;

const storedMember = `
  select s.state, s.stop_reason, s.stop_reason_detail, a.seq, ${envelopeColumns}
  from strategies s join actor_snapshots a on a.strategy_id = s.id
  where s.id = $1`;

export const statements = { sameCycle, storedMember };

/**
 * Writes all members' parts inside the open transaction. What the database refuses is halved until
 * the culprit stands alone; its siblings are stored as if it were not there (I6). Only errors of
 * the connection or the server get out, and with them the whole commit.
 */
export async function writeMembers(
  sql: Sql,
  commit: Pick<ShardCommit, "writes" | "replace">,
): Promise<WritesOutcome> {
  const outcome: WritesOutcome = { stored: [], alerts: [], stopped: 0 };
  await store({ sql, commit, outcome }, commit.writes);
  return outcome;
}

async function store(batch: Batch, writes: readonly MemberWrite[]): Promise<void> {
  const [first, second] = writes;
  if (first === undefined) return;
  const refusal = await attempt(batch.sql, writes);
  if (refusal === null) {
    batch.outcome.stored.push(...writes);
    return;
  }
  if (second === undefined) return storeCulprit(batch, first, refusal.error);
  const middle = Math.ceil(writes.length / 2);
  await store(batch, writes.slice(0, middle));
  await store(batch, writes.slice(middle));
}

/** Null when everything is written; else nothing is, and the error is about the rows. */
async function attempt(
  sql: Sql,
  writes: readonly MemberWrite[],
): Promise<{ error: unknown } | null> {
  const params = serialized(writes);
  if (!params.ok) return params;
  await sql.run("savepoint members");
  try {
    const [counts = {}] = await sql.rows(storeMembers, params.values);
    const found = Math.min(number(counts, "strategies"), number(counts, "snapshots"));
    if (found < writes.length) throw staleWrite();
    if (params.answers !== null) await sql.run(updateInstructions, params.answers);
  } catch (error) {
    if (!isDataError(error) && !isStale(error)) throw error;
    await sql.run("rollback to savepoint members");
    return { error };
  }
  // Not released: the commit does that, and a later savepoint of the same name only hides it.
  return null;
}

type Serialized =
  | { ok: true; values: string[]; answers: string[] | null }
  | { ok: false; error: unknown };

/** A value that cannot even be sent to the database is the fault of its row too. */
function serialized(writes: readonly MemberWrite[]): Serialized {
  try {
    return { ok: true, values: membersParams(writes), answers: answersParams(writes) };
  } catch (error) {
    return { ok: false, error };
  }
}

async function storeCulprit(batch: Batch, write: MemberWrite, error: unknown): Promise<void> {
  if (isStale(error) || (await isStored(batch.sql, write))) return keepStored(batch, write, error);
  const replacement = batch.commit.replace(write, error);
  if (replacement === null) return stop(batch, write, error);
  const refusal = await attempt(batch.sql, [replacement]);
  if (refusal !== null) return stop(batch, write, refusal.error);
  batch.outcome.stored.push(replacement);
}

/** The database is ahead of the memory this came from: what it holds stands (I2). */
async function keepStored(batch: Batch, write: MemberWrite, error: unknown): Promise<void> {
  const stored = await readStored(batch.sql, write.strategyId);
  if (stored === null) return;
  batch.outcome.stored.push(stored);
  batch.outcome.alerts.push(alertOf("cycle_already_stored", write, error));
}

/** Nothing about the strategy can be stored: it stays where its last commit left it, stopped. */
async function stop(batch: Batch, write: MemberWrite, error: unknown): Promise<void> {
  await batch.sql.run(stopForError, [write.strategyId, `cannot be stored: ${codeOf(error)}`]);
  batch.outcome.stopped += 1;
  batch.outcome.alerts.push(alertOf("strategy_not_storable", write, error));
  const stored = await readStored(batch.sql, write.strategyId);
  if (stored !== null) batch.outcome.stored.push(stored);
}

async function readStored(sql: Sql, strategyId: string): Promise<MemberWrite | null> {
  const [row] = await sql.rows(storedMember, [strategyId]);
  if (row === undefined) return null;
  return {
    strategyId,
    state: oneOf(row, "state"),
    stopReason: oneOfOrNull(row, "stop_reason"),
    stopReasonDetail: textOrNull(row, "stop_reason_detail"),
    envelope: envelopeOf(row),
    seq: number(row, "seq"),
    cycle: null,
  };
}

function alertOf(kind: string, write: MemberWrite, error: unknown): NewAlert {
  return {
    kind,
    severity: "error",
    subject: write.strategyId,
    strategyId: write.strategyId,
    message: errorMessage(error),
    detail: {
      composeId: write.cycle?.composeId ?? null,
      cycleIndex: write.cycle?.cycleIndex ?? null,
      tickId: write.cycle?.tickId ?? null,
      error: codeOf(error),
    },
  };
}

async function isStored(sql: Sql, { strategyId, cycle }: MemberWrite): Promise<boolean> {
  if (cycle === null) return false;
  const names = [strategyId, cycle.composeId, cycle.tickId, cycle.cycleIndex];
  return (await sql.rows(sameCycle, names)).length > 0;
}

function staleWrite(): DomainError {
  return new DomainError("VERSION_CONFLICT", "a snapshot as new as this one is already stored");
}

function isStale(error: unknown): boolean {
  return error instanceof DomainError && error.code === "VERSION_CONFLICT";
}

function codeOf(error: unknown): string {
  const fault = databaseFault(error);
  if (fault !== null) return [fault.sqlState, fault.constraint].filter(Boolean).join(" ");
  return error instanceof DomainError ? error.code : errorMessage(error);
}
