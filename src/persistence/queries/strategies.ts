import type { DecimalString } from "#domain/decimal.ts";
import type { JsonObject } from "#domain/json.ts";
import type { DesiredStatus, StopReason, StrategyState } from "#domain/strategy.ts";
import type { TradingMode } from "#domain/trading.ts";
import type { RiskLevel, StrategyStatus } from "#entities/strategy.entity.ts";
import type { Database } from "#persistence/database.ts";
import {
  flag,
  json,
  ms,
  number,
  numberOrNull,
  oneOf,
  oneOfOrNull,
  plain,
  text,
  textOrNull,
} from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";
import { keyOf, limitOf, type Page, pageOf, type PageRequest } from "./page.ts";

/** One line of the list. Money in quote currency, fractions never percent, times ms UTC. */
export interface StrategyListItem {
  id: string;
  name: string;
  description: string;
  definitionId: string;
  definitionName: string;
  definitionDisplayName: string;
  userId: string;
  ownerName: string;
  tradingMode: TradingMode;
  status: StrategyStatus;
  state: StrategyState;
  desiredStatus: DesiredStatus;
  stopReason: StopReason | null;
  stopReasonDetail: string | null;
  isActive: boolean;
  initialBalance: DecimalString;
  cash: DecimalString;
  totalValue: DecimalString;
  realizedPnl: DecimalString;
  unrealizedPnl: DecimalString;
  totalPnl: DecimalString;
  /** totalPnl ÷ initialBalance */
  returnFraction: DecimalString;
  maxDrawdown: DecimalString;
  peakValue: DecimalString;
  totalTrades: number;
  winningTrades: number;
  losingTrades: number;
  winRate: DecimalString | null;
  cycleIndex: number;
  lastExecutionAt: number | null;
  tags: string[];
  riskLevel: RiskLevel;
  createdAt: number;
  params: JsonObject;
  decisionAgent: string;
  tradeChannel: string;
  symbols: string[];
}

export type StrategySort = "created" | "return" | "name";

export interface StrategyFilter extends PageRequest {
  userId?: string;
  definitionId?: string;
  status?: StrategyStatus;
  isActive?: boolean;
  /** Part of the name, whatever its case. */
  search?: string;
  /** Newest first (default), best return first, or by name. */
  sort?: StrategySort;
}

const listColumns = `
  s.id, s.instance_name, s.instance_description, s.strategy_definition_id,
  d.name as definition_name, d.display_name as definition_display_name,
  s.user_id, u.full_name as owner_name, s.trading_mode, s.status, s.state, s.desired_status,
  s.stop_reason, s.stop_reason_detail, s.is_active,
  ${plain("s.initial_balance")} as initial_balance, ${plain("s.current_balance")} as cash,
  ${plain("s.total_value")} as total_value, ${plain("s.realized_pnl")} as realized_pnl,
  ${plain("s.unrealized_pnl")} as unrealized_pnl, ${plain("s.total_pnl")} as total_pnl,
  ${plain("round(s.total_pnl / s.initial_balance, 18)")} as return_fraction,
  ${plain("s.max_drawdown")} as max_drawdown, ${plain("s.peak_value")} as peak_value,
  s.total_trades, s.winning_trades, s.losing_trades, ${plain("s.win_rate")} as win_rate,
  s.cycle_index, ${ms("s.last_execution_time")} as last_execution_at, s.tags, s.risk_level,
  ${ms("s.created_at")} as created_at, s.instance_params, d.decision_agent_class, d.trade_channel,
  d.trade_symbols`;

const source = `
  from strategies s
  join strategy_definitions d on d.id = s.strategy_definition_id
  join users u on u.id = s.user_id`;

// The id decides between equal keys, so no page repeats or loses a row. As text, a key keeps all of
// its digits on the way to the client and back.
const sorts: Readonly<Record<StrategySort, { key: string; type: string; order: "asc" | "desc" }>> =
  {
    created: { key: "s.created_at", type: "timestamptz", order: "desc" },
    return: { key: "s.total_pnl / s.initial_balance", type: "numeric", order: "desc" },
    name: { key: "s.instance_name", type: "text", order: "asc" },
  };

interface Query {
  statement: string;
  params: unknown[];
}

export async function listStrategies(
  { sql }: Database,
  filter: StrategyFilter = {},
): Promise<Page<StrategyListItem>> {
  const limit = limitOf(filter);
  const list = `strategies.${filter.sort ?? "created"}` as const;
  const { statement, params } = listQuery(filter, keyOf(filter, list));
  return pageOf(await sql.rows(statement, params), limit, {
    list,
    item: listItemOf,
    key: (row) => [text(row, "sort_key"), text(row, "id")],
  });
}

// The page is chosen by its key alone; what it shows is computed for its own rows only.
function listQuery(filter: StrategyFilter, after: ReturnType<typeof keyOf>): Query {
  const { key, type, order } = sorts[filter.sort ?? "created"];
  const params: unknown[] = [limitOf(filter) + 1];
  const param = (value: unknown) => `$${params.push(value)}`;
  const conditions = ["s.archived_at is null", ...conditionsOf(filter, param)];
  if (after !== null) {
    const isBeyond = order === "desc" ? "<" : ">";
    const place = `(${param(after[0])}::${type}, ${param(after[1])}::uuid)`;
    conditions.push(`(${key}, s.id) ${isBeyond} ${place}`);
  }
  const statement = `
    with page as materialized (
      select s.id, ${key} as sort_key from strategies s
      where ${conditions.join(" and ")} order by ${key} ${order}, s.id ${order} limit $1
    )
    select ${listColumns}, page.sort_key::text as sort_key
    ${source} join page on page.id = s.id order by page.sort_key ${order}, s.id ${order}`;
  return { statement, params };
}

/** How many strategies of each status the filter lets through. */
export async function countStrategies(
  { sql }: Database,
  filter: Omit<StrategyFilter, "cursor" | "limit" | "sort" | "status"> = {},
): Promise<Record<StrategyStatus | "total", number>> {
  const { statement, params } = countQuery(filter);
  const rows = await sql.rows(statement, params);
  const counts = { total: 0, running: 0, stopped: 0, cancelled: 0 };
  for (const row of rows) {
    const n = number(row, "n");
    counts[oneOf<StrategyStatus>(row, "status")] = n;
    counts.total += n;
  }
  return counts;
}

function countQuery(filter: Omit<StrategyFilter, "sort" | "status">): Query {
  const params: unknown[] = [];
  const conditions = conditionsOf(filter, (value) => `$${params.push(value)}`);
  const statement = `
    select s.status, count(*)::int as n from strategies s
    where ${["s.archived_at is null", ...conditions].join(" and ")} group by s.status`;
  return { statement, params };
}

function conditionsOf(filter: StrategyFilter, param: (value: unknown) => string): string[] {
  const { userId, definitionId, status, isActive, search } = filter;
  const conditions: string[] = [];
  if (userId !== undefined) conditions.push(`s.user_id = ${param(userId)}`);
  if (definitionId !== undefined) {
    conditions.push(`s.strategy_definition_id = ${param(definitionId)}`);
  }
  if (status !== undefined) conditions.push(`s.status = ${param(status)}`);
  if (isActive !== undefined) conditions.push(`s.is_active = ${param(isActive)}`);
  if (search !== undefined && search !== "") {
    conditions.push(`strpos(lower(s.instance_name), lower(${param(search)}::text)) > 0`);
  }
  return conditions;
}

function listItemOf(row: Row): StrategyListItem {
  return {
    id: text(row, "id"),
    name: text(row, "instance_name"),
    description: text(row, "instance_description"),
    definitionId: text(row, "strategy_definition_id"),
    definitionName: text(row, "definition_name"),
    definitionDisplayName: text(row, "definition_display_name"),
    userId: text(row, "user_id"),
    ownerName: text(row, "owner_name"),
    tradingMode: oneOf(row, "trading_mode"),
    status: oneOf(row, "status"),
    state: oneOf(row, "state"),
    desiredStatus: oneOf(row, "desired_status"),
    stopReason: oneOfOrNull(row, "stop_reason"),
    stopReasonDetail: textOrNull(row, "stop_reason_detail"),
    isActive: flag(row, "is_active"),
    initialBalance: text(row, "initial_balance"),
    cash: text(row, "cash"),
    totalValue: text(row, "total_value"),
    realizedPnl: text(row, "realized_pnl"),
    unrealizedPnl: text(row, "unrealized_pnl"),
    totalPnl: text(row, "total_pnl"),
    returnFraction: text(row, "return_fraction"),
    maxDrawdown: text(row, "max_drawdown"),
    peakValue: text(row, "peak_value"),
    totalTrades: number(row, "total_trades"),
    winningTrades: number(row, "winning_trades"),
    losingTrades: number(row, "losing_trades"),
    winRate: textOrNull(row, "win_rate"),
    cycleIndex: number(row, "cycle_index"),
    lastExecutionAt: numberOrNull(row, "last_execution_at"),
    tags: json(row, "tags"),
    riskLevel: oneOf(row, "risk_level"),
    createdAt: number(row, "created_at"),
    params: json(row, "instance_params"),
    decisionAgent: text(row, "decision_agent_class"),
    tradeChannel: text(row, "trade_channel"),
    symbols: json(row, "trade_symbols"),
  };
}

const everyFilter: Required<Omit<StrategyFilter, "cursor" | "limit" | "sort">> = {
  userId: "",
  definitionId: "",
  status: "running",
  isActive: true,
  search: " ",
};

/** A list is put together of its filters: each order with all of them names every column there is. */
export const statements = {
  listByCreated: listQuery({ ...everyFilter, sort: "created" }, ["", ""]).statement,
  listByReturn: listQuery({ ...everyFilter, sort: "return" }, ["", ""]).statement,
  listByName: listQuery({ ...everyFilter, sort: "name" }, ["", ""]).statement,
  count: countQuery(everyFilter).statement,
};
