import type { Cycle, CycleCause } from "#domain/cycle.ts";
import type { DecimalString } from "#domain/decimal.ts";
import type { Decision } from "#domain/decision.ts";
import { NotFoundError } from "#domain/errors.ts";
import type { FillState } from "#domain/exit.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Database } from "#persistence/database.ts";
import { jsonOrNull, ms, number, oneOf, plain, text, textOrNull } from "#persistence/rows.ts";
import type { Row, Sql } from "#persistence/sql.ts";
import { keyOf, limitOf, type Page, pageOf, type PageRequest } from "./page.ts";
import { getView, type StoredView } from "./portfolio.ts";
import {
  instructionColumns,
  instructionOf,
  legColumns,
  legOf,
  type StoredInstruction,
  type StoredLeg,
} from "./trades.ts";

/** One cycle as stored, with its orders and what they opened and closed. */
export interface CycleRecord {
  composeId: string;
  strategyId: string;
  cycleIndex: number;
  tickId: string | null;
  cause: CycleCause;
  /** ms UTC */
  composeTime: number;
  status: Cycle["status"];
  rationale: string;
  decision: Omit<Decision, "rationale" | "state"> | null;
  stateBefore: JsonObject | null;
  paramsVersion: number;
  definitionVersion: number;
  error: { code: string; message: string } | null;
  durationMs: number;
  /** Equity after the cycle, quote currency. */
  totalValue: DecimalString;
  instructions: StoredInstruction[];
  legs: StoredLeg[];
}

export interface CycleDetail extends CycleRecord {
  /** The portfolio after the cycle. */
  view: StoredView | null;
  /** The params the strategy had then. */
  params: JsonObject | null;
  /** The exits under way and the volume taken that it found; null where there was neither. */
  fillsBefore: FillState | null;
}

const columns = `
  c.compose_id, c.strategy_id, c.cycle_index, c.tick_id, c.cause, ${ms("c.compose_time")} as compose_time,
  c.status, c.rationale, c.decision, c.state_before, c.params_version, c.definition_version, c.error,
  c.duration_ms, ${plain("v.total_value")} as total_value`;

const source = `
  from strategy_compose_cycles c
  join strategy_portfolio_views v using (strategy_id, cycle_index)`;

export const statements = {
  list: `
    select ${columns} ${source}
    where c.strategy_id = $1 and ($2::int is null or c.cycle_index < $2::int)
    order by c.cycle_index desc limit $3`,
  // Asked strategy by strategy, for which there is an index.
  strategyOfCycle: `
    select s.id from strategies s
    join strategy_compose_cycles c on c.strategy_id = s.id and c.compose_id = $1`,
  cycle: `
    select ${columns}, c.fills_before, p.params ${source}
    left join strategy_param_versions p
      on p.strategy_id = c.strategy_id and p.version = c.params_version
    where c.strategy_id = $1 and c.compose_id = $2`,
  instructions: `
    select ${instructionColumns} from strategy_instructions i
    where i.strategy_id = $1 and i.cycle_index = any($2::int[])
    order by i.cycle_index, i.position`,
  legs: `
    select ${legColumns} from strategy_details l
    where l.strategy_id = $1 and l.cycle_index = any($2::int[])
    order by l.cycle_index, l.position`,
};

/** A strategy's cycles, newest first, in three statements whatever the page. */
export async function listCycles(
  { sql }: Database,
  strategyId: string,
  request: PageRequest = {},
): Promise<Page<CycleRecord>> {
  const limit = limitOf(request);
  const [before = null] = keyOf(request, "numbers") ?? [];
  const rows = await sql.rows(statements.list, [strategyId, before, limit + 1]);
  const children = await childrenOf(sql, strategyId, rows.slice(0, limit));
  return pageOf(rows, limit, {
    item: (row) => cycleOf(row, children),
    key: (row) => [number(row, "cycle_index"), 0],
  });
}

/** Whose cycle it is. @throws NotFoundError CYCLE_NOT_FOUND */
export async function strategyOfCycle({ sql }: Database, composeId: string): Promise<string> {
  const [row] = await sql.rows(statements.strategyOfCycle, [composeId]);
  if (row !== undefined) return text(row, "id");
  throw new NotFoundError("CYCLE_NOT_FOUND", `no cycle ${composeId}`);
}

/** @throws NotFoundError CYCLE_NOT_FOUND */
export async function getCycle(
  database: Database,
  strategyId: string,
  composeId: string,
): Promise<CycleDetail> {
  const { sql } = database;
  const [row] = await sql.rows(statements.cycle, [strategyId, composeId]);
  if (row === undefined) throw new NotFoundError("CYCLE_NOT_FOUND", `no cycle ${composeId}`);
  const children = await childrenOf(sql, strategyId, [row]);
  const cycle = cycleOf(row, children);
  const view = await getView(database, strategyId, cycle.cycleIndex);
  const fillsBefore: FillState | null = jsonOrNull(row, "fills_before");
  return { ...cycle, view, params: jsonOrNull(row, "params"), fillsBefore };
}

interface Children {
  instructions: Map<number, StoredInstruction[]>;
  legs: Map<number, StoredLeg[]>;
}

async function childrenOf(sql: Sql, strategyId: string, rows: readonly Row[]): Promise<Children> {
  const params = [strategyId, rows.map((row) => number(row, "cycle_index"))];
  const instructions = await sql.rows(statements.instructions, params);
  const legs = await sql.rows(statements.legs, params);
  return {
    instructions: Map.groupBy(instructions.map(instructionOf), ({ cycleIndex }) => cycleIndex),
    legs: Map.groupBy(legs.map(legOf), ({ cycleIndex }) => cycleIndex),
  };
}

function cycleOf(row: Row, { instructions, legs }: Children): CycleRecord {
  const cycleIndex = number(row, "cycle_index");
  return {
    composeId: text(row, "compose_id"),
    strategyId: text(row, "strategy_id"),
    cycleIndex,
    tickId: textOrNull(row, "tick_id"),
    cause: oneOf(row, "cause"),
    composeTime: number(row, "compose_time"),
    status: oneOf(row, "status"),
    rationale: text(row, "rationale"),
    decision: jsonOrNull(row, "decision"),
    stateBefore: jsonOrNull(row, "state_before"),
    paramsVersion: number(row, "params_version"),
    definitionVersion: number(row, "definition_version"),
    error: jsonOrNull(row, "error"),
    durationMs: number(row, "duration_ms"),
    totalValue: text(row, "total_value"),
    instructions: instructions.get(cycleIndex) ?? [],
    legs: legs.get(cycleIndex) ?? [],
  };
}
