import type { Instruction } from "#domain/cycle.ts";
import type { TradeLeg } from "#domain/portfolio.ts";
import type { Database } from "#persistence/database.ts";
import {
  flag,
  ms,
  number,
  numberOrNull,
  oneOf,
  plain,
  text,
  textOrNull,
} from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";
import { keyOf, limitOf, type Page, pageOf, type PageRequest } from "./page.ts";

/** Which cycle a stored instruction or leg belongs to. */
export interface OfCycle {
  cycleIndex: number;
  composeId: string;
}

export type StoredLeg = TradeLeg & OfCycle;
export type StoredInstruction = Instruction & OfCycle;

/** The columns `legOf` reads, of `strategy_details` under the alias `l`. */
export const legColumns = `
  l.cycle_index, l.compose_id, l.position, l.trade_id, l.instruction_id, l.leg_number, l.symbol,
  l.kind, l.type, l.side, ${plain("l.quantity")} as quantity, l.leverage,
  ${plain("l.entry_price")} as entry_price, ${plain("l.exit_price")} as exit_price,
  ${plain("l.notional_entry")} as notional_entry, ${plain("l.notional_exit")} as notional_exit,
  ${plain("l.fee_cost")} as fee_cost, ${plain("l.realized_pnl")} as realized_pnl,
  ${plain("l.realized_pnl_pct")} as realized_pnl_pct, ${ms("l.entry_time")} as entry_at,
  ${ms("l.exit_time")} as exit_at, l.holding_ms, ${ms("l.event_time")} as event_at`;

/** The columns `instructionOf` reads, of `strategy_instructions` under the alias `i`. */
export const instructionColumns = `
  i.cycle_index, i.compose_id, i.instruction_id, i.position, i.symbol, i.action, i.side,
  ${plain("i.quantity")} as quantity, i.leverage, i.price_mode,
  ${plain("i.limit_price")} as limit_price, i.reduce_only, i.client_order_id, i.note, i.status,
  i.reason, i.exchange_order_id, ${plain("i.filled_quantity")} as filled_quantity,
  ${plain("i.average_price")} as average_price, ${plain("i.fee")} as fee`;

export const statements = {
  trades: `
    select ${legColumns} from strategy_details l
    where l.strategy_id = $1
      and ($2::int is null or (l.cycle_index, l.position) < ($2::int, $3::int))
    order by l.cycle_index desc, l.position desc limit $4`,
  instructions: `
    select ${instructionColumns} from strategy_instructions i
    where i.strategy_id = $1
      and ($2::int is null or (i.cycle_index, i.position) < ($2::int, $3::int))
    order by i.cycle_index desc, i.position desc limit $4`,
};

/** Legs of fills, newest first: what was never filled has none. */
export async function listTrades(
  { sql }: Database,
  strategyId: string,
  request: PageRequest = {},
): Promise<Page<StoredLeg>> {
  const limit = limitOf(request);
  const [cycleIndex = null, position = null] = keyOf(request, "trades") ?? [];
  const params = [strategyId, cycleIndex, position, limit + 1];
  const rows = await sql.rows(statements.trades, params);
  return pageOf(rows, limit, { list: "trades", item: legOf, key: cycleKey });
}

/**
 * All orders meant, whatever became of them, newest first.
 * @public for the orders of the API
 */
export async function listInstructions(
  { sql }: Database,
  strategyId: string,
  request: PageRequest = {},
): Promise<Page<StoredInstruction>> {
  const limit = limitOf(request);
  const [cycleIndex = null, position = null] = keyOf(request, "instructions") ?? [];
  const params = [strategyId, cycleIndex, position, limit + 1];
  const rows = await sql.rows(statements.instructions, params);
  return pageOf(rows, limit, { list: "instructions", item: instructionOf, key: cycleKey });
}

const cycleKey = (row: Row) => [number(row, "cycle_index"), number(row, "position")];

export function legOf(row: Row): StoredLeg {
  return {
    cycleIndex: number(row, "cycle_index"),
    composeId: text(row, "compose_id"),
    tradeId: text(row, "trade_id"),
    instructionId: text(row, "instruction_id"),
    legNumber: number(row, "leg_number"),
    symbol: text(row, "symbol"),
    kind: oneOf(row, "kind"),
    type: oneOf(row, "type"),
    side: oneOf(row, "side"),
    quantity: text(row, "quantity"),
    leverage: number(row, "leverage"),
    entryPrice: text(row, "entry_price"),
    exitPrice: textOrNull(row, "exit_price"),
    notionalEntry: text(row, "notional_entry"),
    notionalExit: textOrNull(row, "notional_exit"),
    feeCost: text(row, "fee_cost"),
    realizedPnl: textOrNull(row, "realized_pnl"),
    realizedPnlPct: textOrNull(row, "realized_pnl_pct"),
    entryAt: number(row, "entry_at"),
    exitAt: numberOrNull(row, "exit_at"),
    holdingMs: numberOrNull(row, "holding_ms"),
    eventAt: number(row, "event_at"),
  };
}

export function instructionOf(row: Row): StoredInstruction {
  return {
    cycleIndex: number(row, "cycle_index"),
    composeId: text(row, "compose_id"),
    instructionId: text(row, "instruction_id"),
    index: number(row, "position"),
    symbol: text(row, "symbol"),
    action: oneOf(row, "action"),
    side: oneOf(row, "side"),
    quantity: text(row, "quantity"),
    leverage: number(row, "leverage"),
    priceMode: oneOf(row, "price_mode"),
    limitPrice: textOrNull(row, "limit_price"),
    reduceOnly: flag(row, "reduce_only"),
    clientOrderId: text(row, "client_order_id"),
    note: textOrNull(row, "note"),
    status: oneOf(row, "status"),
    reason: textOrNull(row, "reason"),
    exchangeOrderId: textOrNull(row, "exchange_order_id"),
    filledQuantity: text(row, "filled_quantity"),
    averagePrice: textOrNull(row, "average_price"),
    fee: text(row, "fee"),
  };
}
