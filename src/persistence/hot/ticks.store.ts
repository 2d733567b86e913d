import type { AgentOutput } from "#domain/analysis.ts";
import { FencedError, InvariantError } from "#domain/errors.ts";
import { agentRunIdOf, tickIdOf } from "#domain/ids.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type {
  AnalysisCommit,
  EngineStore,
  ScheduledDefinition,
  Tick,
  TickInput,
  TickStatus,
} from "#ports/store.ts";
import type { Outbox } from "#ports/work-queue.ts";
import { batchOf, instant } from "./batch.ts";
import type { Database } from "#persistence/database.ts";
import { definitionColumns, definitionOf } from "#persistence/repositories/definition-row.ts";
import { readDefinition } from "#persistence/repositories/definitions.repository.ts";
import {
  flag,
  json,
  jsonOrNull,
  ms,
  number,
  numberOrNull,
  oneOf,
  text,
} from "#persistence/rows.ts";
import type { Row, Sql, SqlTransaction } from "#persistence/sql.ts";

export type TickStore = Pick<
  EngineStore,
  | "scheduledDefinitions"
  | "definition"
  | "proposeTick"
  | "pendingTick"
  | "commitAnalysis"
  | "failTick"
  | "tickInput"
  | "closeTick"
  | "giveUpAnalysis"
  | "renewDeadlines"
  | "shortenDeadlines"
  | "openTicks"
>;

const tickColumns = `
  t.id, t.definition_id, ${ms("t.scheduled_for")} as scheduled_for,
  ${ms("t.previous_for")} as previous_for, t.status`;

// Who is to stop takes part as well: what a bar could not take of its positions is closed at later ones.
const scheduledDefinitions = `
  select ${definitionColumns}, m.members, ${ms("m.since")} as since,
    ${ms("l.scheduled_for")} as last_scheduled_for
  from strategy_definitions d
  left join lateral (
    select count(*) as members, min(s.created_at) as since from (
      select w.created_at from strategies w
      where w.strategy_definition_id = d.id
        and w.desired_status = 'running' and w.archived_at is null
      union all
      select w.created_at from strategies w
      where w.strategy_definition_id = d.id and w.stop_command_id is not null
    ) s
  ) m on true
  left join lateral (
    select t.scheduled_for from ticks t where t.definition_id = d.id
    order by t.scheduled_for desc limit 1
  ) l on true
  order by d.name`;

// The two unique keys decide, not a look before: of any number of proposers one gets the row. A tick
// older than a known one is never proposed, for time does not run backwards in one definition.
const insertPending = `
  insert into ticks (id, definition_id, scheduled_for, previous_for, status)
  select $1::uuid, $2::uuid, $3::timestamptz, (
    select max(p.scheduled_for) from ticks p
    where p.definition_id = $2::uuid and p.scheduled_for < $3::timestamptz
      and p.status in ('completed', 'timed_out')
  ), 'pending'
  where not exists (
    select 1 from ticks n where n.definition_id = $2::uuid and n.scheduled_for > $3::timestamptz
  )
  on conflict do nothing`;

const insertSkipped = `
  insert into ticks (id, definition_id, scheduled_for, status, closed_at)
  select $1::uuid, $2::uuid, $3::timestamptz, 'skipped', now()
  where exists (
    select 1 from ticks o where o.definition_id = $2::uuid and o.status in ('pending', 'running')
  )
  on conflict do nothing`;

const fanOut = `
  update shards set fanned_tick_id = $2, settled_cycles = 0, settled_failures = 0, updated_at = now()
  where id in (
    select sh.id from shards sh
    where sh.definition_id = $1 and exists (
      select 1 from strategies s
      where s.strategy_definition_id = $1 and s.shard_id = sh.id
        and s.desired_status = 'running' and s.archived_at is null
      union all
      select 1 from strategies s
      where s.strategy_definition_id = $1 and s.shard_id = sh.id and s.stop_command_id is not null
    )
    order by sh.id for update
  )
  returning id`;

const startTick = `
  update ticks set
    status = case when $2::int = 0 then 'completed' else 'running' end,
    shards_total = $2::int, definition_version = $3, market_snapshot = $4, analysis_ms = $5,
    deadline = now() + $6::float8 * interval '1 millisecond',
    closed_at = case when $2::int = 0 then now() end, updated_at = now()
  where id = $1 and status = 'pending'`;

/** Closes a running tick if every shard settled, or as it is once its deadline is past. */
const closing = (isOver: string): string => `
  update ticks t set
    status = case when c.settled = t.shards_total then 'completed' else 'timed_out' end,
    shards_settled = c.settled, cycles = c.cycles, failures = c.failures,
    closed_at = now(), updated_at = now()
  from (
    select
      (count(*) filter (where sh.settled_tick_id = sh.fanned_tick_id))::int as settled,
      coalesce(sum(sh.settled_cycles), 0)::int as cycles,
      coalesce(sum(sh.settled_failures), 0)::int as failures
    from ticks k join shards sh on sh.definition_id = k.definition_id and sh.fanned_tick_id = k.id
    where k.id = $1
  ) c
  where t.id = $1 and t.status = 'running' and ${isOver}`;

const complete = closing("c.settled = t.shards_total");
const timeOut = closing("t.deadline <= now()");

// In id order, like every statement that locks several shards.
const lockOverdue = `
  select sh.id from ticks t
  join shards sh on sh.definition_id = t.definition_id and sh.fanned_tick_id = t.id
  where t.id = $1 and t.status = 'running' and t.deadline <= now()
  order by sh.id for update of sh`;

const withdraw = `
  update shards sh set fanned_tick_id = null, updated_at = now()
  from ticks t
  where t.id = $1 and sh.definition_id = t.definition_id and sh.fanned_tick_id = t.id
    and sh.settled_tick_id is distinct from t.id`;

const giveUpAnalysis = `
  update ticks set status = 'failed', error = $3, closed_at = now(), updated_at = now()
  where id = $1 and status = 'pending'
    and updated_at < now() - $2::float8 * interval '1 millisecond'`;

const renewDeadlines = `
  update ticks set deadline = now() + $1::float8 * interval '1 millisecond', updated_at = now()
  where status in ('pending', 'running')`;

// A moment of the database's clock that lies ahead of what can be: the clock was set back since.
const shortenDeadlines = `
  update ticks set
    deadline = least(deadline, now() + $1::float8 * interval '1 millisecond'), updated_at = now()
  where status in ('pending', 'running')
    and (deadline > now() + $1::float8 * interval '1 millisecond' or updated_at > now())`;

const agentRuns = batchOf({
  id: "uuid",
  tick_id: "uuid",
  agent: "text",
  status: "text",
  signal: "text",
  confidence: "float8",
  score: "float8",
  reasoning: "text",
  data: "jsonb",
  provenance: "jsonb",
  reason: "text",
  duration_ms: "float8",
});

const outputColumns =
  "agent, status, signal, confidence, score, reasoning, data, provenance, reason, duration_ms";

export const statements = {
  scheduledDefinitions,
  insertPending,
  insertSkipped,
  fanOut,
  startTick,
  complete,
  timeOut,
  lockOverdue,
  withdraw,
  giveUpAnalysis,
  renewDeadlines,
  shortenDeadlines,
  insertAgentRuns: agentRuns.insertInto("agent_runs"),
  pendingTick: `
    select ${tickColumns}, to_jsonb(d) as definition
    from ticks t join strategy_definitions d on d.id = t.definition_id
    where t.id = $1 and t.status = 'pending'`,
  // What `definitionOf` reads of `to_jsonb(d)`, which takes any columns.
  definitionOfTick: `select ${definitionColumns} from strategy_definitions d`,
  failTick: `
    update ticks set status = 'failed', error = $2, closed_at = now(), updated_at = now()
    where id = $1 and status = 'pending'`,
  tickStatus: `
    select status, status = 'running' and deadline <= now() as is_overdue from ticks where id = $1`,
  openTicks: `
    select ${tickColumns} from ticks t where t.status in ('pending', 'running')
    order by t.scheduled_for, t.id`,
  // The definition as it was when the tick was analysed: an edit since then waits for the next.
  tickInput: `
    select ${tickColumns}, t.market_snapshot, v.content as definition
    from ticks t join definition_versions v
      on v.definition_id = t.definition_id and v.version = t.definition_version
    where t.id = $1 and t.market_snapshot is not null`,
  outputs: `select ${outputColumns} from agent_runs where tick_id = $1 order by agent`,
};

/** Ticks from proposal to close. */
export function createTickStore(
  database: Database,
  queue: Outbox,
  failpoint: OnFailpoint,
): TickStore {
  const { sql } = database;
  return {
    async scheduledDefinitions() {
      return (await sql.rows(scheduledDefinitions)).map(scheduledOf);
    },
    definition: (definitionId) => readDefinition(database, definitionId),
    proposeTick: (definitionId, scheduledFor, { waits } = { waits: false }) =>
      database.transactional((tx) =>
        propose({ tx, queue, failpoint }, { definitionId, scheduledFor, waits }),
      ),
    async pendingTick(tickId) {
      const [row] = await sql.rows(statements.pendingTick, [tickId]);
      if (row === undefined) return null;
      return { tick: tickOf(row), definition: definitionOf(json<Row>(row, "definition")) };
    },
    commitAnalysis: (commit) =>
      database.transactional((tx) => commitAnalysis({ tx, queue, failpoint }, commit)),
    failTick: (claim, tickId, error) =>
      database.transactional(async (tx) => {
        await claim.settle(tx.transaction);
        await tx.run(statements.failTick, [tickId, JSON.stringify(error)]);
      }),
    tickInput: (tickId) => readTickInput(sql, tickId),
    async closeTick(tickId) {
      await sql.run(complete, [tickId]);
      const [row] = await sql.rows(statements.tickStatus, [tickId]);
      if (row === undefined) return null;
      if (!flag(row, "is_overdue")) return oneOf<TickStatus>(row, "status");
      return database.transactional((tx) => closeOverdue(tx, tickId));
    },
    async giveUpAnalysis(tickId, limitMs) {
      const error = { code: "PORT_TIMEOUT", message: `no analysis within ${limitMs} ms` };
      return (await sql.run(giveUpAnalysis, [tickId, limitMs, JSON.stringify(error)])) === 1;
    },
    async renewDeadlines(deadlineMs) {
      await sql.run(renewDeadlines, [deadlineMs]);
    },
    async shortenDeadlines(deadlineMs) {
      await sql.run(shortenDeadlines, [deadlineMs]);
    },
    async openTicks() {
      return (await sql.rows(statements.openTicks)).map(tickOf);
    },
  };
}

// With the shards locked, each of them has either committed and is counted, or will find the tick
// withdrawn when it tries to.
async function closeOverdue(tx: SqlTransaction, tickId: string): Promise<TickStatus> {
  await tx.rows(lockOverdue, [tickId]);
  await tx.run(timeOut, [tickId]);
  const [row] = await tx.rows(statements.tickStatus, [tickId]);
  if (row === undefined) throw new InvariantError(`tick ${tickId} is gone while it is closed`);
  const status = oneOf<TickStatus>(row, "status");
  if (status === "timed_out") await tx.run(withdraw, [tickId]);
  return status;
}

interface Open {
  tx: SqlTransaction;
  queue: Outbox;
  failpoint: OnFailpoint;
}

async function propose(
  { tx, queue, failpoint }: Open,
  {
    definitionId,
    scheduledFor,
    waits,
  }: { definitionId: string; scheduledFor: number; waits: boolean },
): Promise<"proposed" | "skipped" | "known"> {
  const tickId = tickIdOf(definitionId, scheduledFor);
  const row = [tickId, definitionId, instant(scheduledFor)];
  if ((await tx.run(insertPending, row)) === 1) {
    // Crash window: none; the tick and its job exist together or not at all.
    await queue.send("ticks", [{ key: definitionId, body: { tickId } }], tx.transaction);
    failpoint("tick.in-propose");
    return "proposed";
  }
  return !waits && (await tx.run(insertSkipped, row)) === 1 ? "skipped" : "known";
}

async function commitAnalysis(
  { tx, queue, failpoint }: Open,
  commit: AnalysisCommit,
): Promise<string[]> {
  const { claim, tick, definition, outputs } = commit;
  await claim.settle(tx.transaction);
  const shards = await tx.rows(fanOut, [definition.id, tick.id]);
  const shardIds = shards.map((row) => text(row, "id"));
  const started = await tx.run(startTick, [
    tick.id,
    shardIds.length,
    definition.version,
    JSON.stringify(commit.market),
    Math.round(commit.analysisMs),
    commit.deadlineMs,
  ]);
  if (started === 0) throw new FencedError(`tick ${tick.id} is no longer pending`);
  const runs = outputs.map((output) => agentRunRow(tick.id, output));
  await tx.run(statements.insertAgentRuns, agentRuns.params(runs));
  failpoint("tick.in-commit.agent-runs-written");
  const messages = shardIds.map((key) => ({ key, body: { kind: "tick", tickId: tick.id } }));
  if (messages.length > 0) await queue.send("shards", messages, tx.transaction);
  failpoint("tick.in-commit.messages-sent");
  return shardIds;
}

async function readTickInput(sql: Sql, tickId: string): Promise<TickInput | null> {
  const [row] = await sql.rows(statements.tickInput, [tickId]);
  if (row === undefined) return null;
  const runs = await sql.rows(statements.outputs, [tickId]);
  const outputs = runs.map(agentOutputOf);
  return {
    tick: tickOf(row),
    definition: json(row, "definition"),
    market: json(row, "market_snapshot"),
    analysis: Object.fromEntries(outputs.map((output) => [output.agent, output])),
  };
}

export function tickOf(row: Row): Tick {
  return {
    id: text(row, "id"),
    definitionId: text(row, "definition_id"),
    scheduledFor: number(row, "scheduled_for"),
    previousFor: numberOrNull(row, "previous_for"),
    status: oneOf(row, "status"),
  };
}

function scheduledOf(row: Row): ScheduledDefinition {
  return {
    definition: definitionOf(row),
    members: number(row, "members"),
    lastScheduledFor: numberOrNull(row, "last_scheduled_for"),
    since: numberOrNull(row, "since"),
  };
}

function agentRunRow(tickId: string, output: AgentOutput) {
  const { agent, durationMs, ...rest } = output;
  return {
    ...rest,
    id: agentRunIdOf(tickId, agent),
    tick_id: tickId,
    agent,
    duration_ms: durationMs,
  };
}

export function agentOutputOf(row: Row): AgentOutput {
  const status = oneOf<AgentOutput["status"]>(row, "status");
  const common = { agent: text(row, "agent"), durationMs: number(row, "duration_ms") };
  if (status !== "ok") return { ...common, status, reason: text(row, "reason") };
  return {
    ...common,
    status,
    signal: oneOf(row, "signal"),
    confidence: number(row, "confidence"),
    score: number(row, "score"),
    reasoning: text(row, "reasoning"),
    data: json(row, "data"),
    provenance: jsonOrNull(row, "provenance") ?? [],
  };
}
