import type { AgentOutput } from "#domain/analysis.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { Tick } from "#domain/tick.ts";
import type { Database } from "#persistence/database.ts";
import { jsonOrNull, ms, number, numberOrNull, plain, text } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";
import { agentOutputOf, tickOf } from "#persistence/hot/ticks.store.ts";
import { keyOf, limitOf, type Page, pageOf, type PageRequest } from "./page.ts";

export interface TickRecord extends Tick {
  definitionName: string;
  definitionVersion: number | null;
  shardsTotal: number;
  shardsSettled: number;
  cycles: number;
  failures: number;
  analysisMs: number | null;
  /** Real time from proposal to close. */
  durationMs: number | null;
  error: { code: string; message: string } | null;
}

export interface AgentRunRecord {
  output: AgentOutput;
  model: string | null;
  tokens: number | null;
  cost: string | null;
}

export interface TickDetail extends TickRecord {
  market: MarketSnapshot | null;
  agents: AgentRunRecord[];
}

const columns = `
  t.id, t.definition_id, d.name as definition_name, ${ms("t.scheduled_for")} as scheduled_for,
  ${ms("t.previous_for")} as previous_for, t.status, t.definition_version, t.shards_total,
  t.shards_settled, t.cycles, t.failures, t.analysis_ms, t.error,
  (extract(epoch from t.closed_at - t.created_at) * 1000)::float8 as duration_ms`;

const source = "from ticks t join strategy_definitions d on d.id = t.definition_id";

/** One text for each of the lists, so that each can use the index made for it. */
function listStatement(isOfDefinition: boolean, isContinued: boolean): string {
  const conditions = [
    isOfDefinition ? "t.definition_id = $2" : "$2::uuid is null",
    isContinued ? "(t.scheduled_for, t.id) < ($3::timestamptz, $4::uuid)" : "true",
  ];
  return `
    select ${columns}, t.scheduled_for::text as sort_key ${source}
    where ${conditions.join(" and ")}
    order by t.scheduled_for desc, t.id desc limit $1`;
}

export const statements = {
  listAll: listStatement(false, false),
  listAllAfter: listStatement(false, true),
  listOfDefinition: listStatement(true, false),
  listOfDefinitionAfter: listStatement(true, true),
  tick: `select ${columns}, t.market_snapshot ${source} where t.id = $1`,
  agentRuns: `
    select agent, status, signal, confidence, score, reasoning, data, provenance, reason,
      duration_ms, model, tokens, ${plain("cost")} as cost
    from agent_runs where tick_id = $1 order by agent`,
};

/**
 * Ticks of one definition or of all, newest first.
 * @public for the ticks of the API
 */
export async function listTicks(
  { sql }: Database,
  request: PageRequest & { definitionId?: string } = {},
): Promise<Page<TickRecord>> {
  const limit = limitOf(request);
  const after = keyOf(request, "ticks");
  const { definitionId = null } = request;
  const statement = listStatement(definitionId !== null, after !== null);
  const rows = await sql.rows(statement, [limit + 1, definitionId, ...(after ?? [])]);
  return pageOf(rows, limit, {
    list: "ticks",
    item: recordOf,
    key: (row) => [text(row, "sort_key"), text(row, "id")],
  });
}

/** Null for an unknown tick. @public for the ticks of the API */
export async function getTick({ sql }: Database, tickId: string): Promise<TickDetail | null> {
  const [row] = await sql.rows(statements.tick, [tickId]);
  if (row === undefined) return null;
  const runs = await sql.rows(statements.agentRuns, [tickId]);
  return {
    ...recordOf(row),
    market: jsonOrNull(row, "market_snapshot"),
    agents: runs.map((run) => ({
      output: agentOutputOf(run),
      model: run["model"] === null ? null : text(run, "model"),
      tokens: numberOrNull(run, "tokens"),
      cost: run["cost"] === null ? null : text(run, "cost"),
    })),
  };
}

function recordOf(row: Row): TickRecord {
  return {
    ...tickOf(row),
    definitionName: text(row, "definition_name"),
    definitionVersion: numberOrNull(row, "definition_version"),
    shardsTotal: number(row, "shards_total"),
    shardsSettled: number(row, "shards_settled"),
    cycles: number(row, "cycles"),
    failures: number(row, "failures"),
    analysisMs: numberOrNull(row, "analysis_ms"),
    durationMs: numberOrNull(row, "duration_ms"),
    error: jsonOrNull(row, "error"),
  };
}
