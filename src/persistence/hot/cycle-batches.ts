import type { Cycle, Instruction } from "#domain/cycle.ts";
import type { Holding, TradeLeg } from "#domain/portfolio.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { StrategyStatus } from "#entities/strategy.entity.ts";
import { batchFrom } from "./batch.ts";

// The columns of the tables a commit writes, and what goes into them.

interface Ordered {
  cycle: Cycle;
  instruction: Instruction;
}

interface Traded {
  cycle: Cycle;
  leg: TradeLeg;
  position: number;
}

interface Held {
  cycle: Cycle;
  holding: Holding;
}

/** A strategy's snapshot, its first or that of a commit. */
export type Stored = Pick<MemberWrite, "strategyId" | "seq" | "envelope">;

export const cycles = batchFrom<Cycle>({
  strategy_id: ["uuid", (cycle) => cycle.strategyId],
  cycle_index: ["int", (cycle) => cycle.cycleIndex],
  compose_id: ["uuid", (cycle) => cycle.composeId],
  tick_id: ["uuid", (cycle) => cycle.tickId],
  cause: ["text", (cycle) => cycle.cause],
  compose_time: ["timestamptz", (cycle) => cycle.composeTime],
  status: ["text", (cycle) => cycle.status],
  rationale: ["text", (cycle) => cycle.rationale],
  decision: ["jsonb", (cycle) => cycle.decision],
  state_before: ["jsonb", (cycle) => cycle.stateBefore],
  fills_before: ["jsonb", (cycle) => cycle.fillsBefore],
  params_version: ["int", (cycle) => cycle.paramsVersion],
  definition_version: ["int", (cycle) => cycle.definitionVersion],
  error: ["jsonb", (cycle) => cycle.error],
  duration_ms: ["float8", (cycle) => cycle.durationMs],
});

export const instructions = batchFrom<Ordered>({
  strategy_id: ["uuid", ({ cycle }) => cycle.strategyId],
  instruction_id: ["uuid", ({ instruction }) => instruction.instructionId],
  cycle_index: ["int", ({ cycle }) => cycle.cycleIndex],
  compose_id: ["uuid", ({ cycle }) => cycle.composeId],
  position: ["int", ({ instruction }) => instruction.index],
  symbol: ["text", ({ instruction }) => instruction.symbol],
  action: ["text", ({ instruction }) => instruction.action],
  side: ["text", ({ instruction }) => instruction.side],
  quantity: ["numeric", ({ instruction }) => instruction.quantity],
  leverage: ["float8", ({ instruction }) => instruction.leverage],
  price_mode: ["text", ({ instruction }) => instruction.priceMode],
  limit_price: ["numeric", ({ instruction }) => instruction.limitPrice],
  reduce_only: ["boolean", ({ instruction }) => instruction.reduceOnly],
  client_order_id: ["text", ({ instruction }) => instruction.clientOrderId],
  note: ["text", ({ instruction }) => instruction.note],
  status: ["text", ({ instruction }) => instruction.status],
  reason: ["text", ({ instruction }) => instruction.reason],
  exchange_order_id: ["text", ({ instruction }) => instruction.exchangeOrderId],
  filled_quantity: ["numeric", ({ instruction }) => instruction.filledQuantity],
  average_price: ["numeric", ({ instruction }) => instruction.averagePrice],
  fee: ["numeric", ({ instruction }) => instruction.fee],
});

/** What has become of instructions of earlier cycles. */
export const answers = batchFrom<Ordered>({
  strategy_id: ["uuid", ({ cycle }) => cycle.strategyId],
  instruction_id: ["uuid", ({ instruction }) => instruction.instructionId],
  status: ["text", ({ instruction }) => instruction.status],
  reason: ["text", ({ instruction }) => instruction.reason],
  exchange_order_id: ["text", ({ instruction }) => instruction.exchangeOrderId],
  filled_quantity: ["numeric", ({ instruction }) => instruction.filledQuantity],
  average_price: ["numeric", ({ instruction }) => instruction.averagePrice],
  fee: ["numeric", ({ instruction }) => instruction.fee],
});

export const details = batchFrom<Traded>({
  strategy_id: ["uuid", ({ cycle }) => cycle.strategyId],
  trade_id: ["uuid", ({ leg }) => leg.tradeId],
  cycle_index: ["int", ({ cycle }) => cycle.cycleIndex],
  compose_id: ["uuid", ({ cycle }) => cycle.composeId],
  instruction_id: ["uuid", ({ leg }) => leg.instructionId],
  leg_number: ["int", ({ leg }) => leg.legNumber],
  position: ["int", ({ position }) => position],
  symbol: ["text", ({ leg }) => leg.symbol],
  kind: ["text", ({ leg }) => leg.kind],
  type: ["text", ({ leg }) => leg.type],
  side: ["text", ({ leg }) => leg.side],
  leverage: ["float8", ({ leg }) => leg.leverage],
  quantity: ["numeric", ({ leg }) => leg.quantity],
  entry_price: ["numeric", ({ leg }) => leg.entryPrice],
  exit_price: ["numeric", ({ leg }) => leg.exitPrice],
  notional_entry: ["numeric", ({ leg }) => leg.notionalEntry],
  notional_exit: ["numeric", ({ leg }) => leg.notionalExit],
  fee_cost: ["numeric", ({ leg }) => leg.feeCost],
  realized_pnl: ["numeric", ({ leg }) => leg.realizedPnl],
  realized_pnl_pct: ["numeric", ({ leg }) => leg.realizedPnlPct],
  entry_time: ["timestamptz", ({ leg }) => leg.entryAt],
  exit_time: ["timestamptz", ({ leg }) => leg.exitAt],
  holding_ms: ["int8", ({ leg }) => leg.holdingMs],
  event_time: ["timestamptz", ({ leg }) => leg.eventAt],
});

export const views = batchFrom<Cycle>({
  strategy_id: ["uuid", (cycle) => cycle.strategyId],
  cycle_index: ["int", (cycle) => cycle.cycleIndex],
  snapshot_ts: ["timestamptz", (cycle) => cycle.view.at],
  cash: ["numeric", (cycle) => cycle.view.cash],
  total_value: ["numeric", (cycle) => cycle.view.totalValue],
  total_realized_pnl: ["numeric", (cycle) => cycle.view.realizedPnl],
  total_unrealized_pnl: ["numeric", (cycle) => cycle.view.unrealizedPnl],
  gross_exposure: ["numeric", (cycle) => cycle.view.grossExposure],
  net_exposure: ["numeric", (cycle) => cycle.view.netExposure],
  buying_power: ["numeric", (cycle) => cycle.view.buyingPower],
});

export const holdings = batchFrom<Held>({
  strategy_id: ["uuid", ({ cycle }) => cycle.strategyId],
  cycle_index: ["int", ({ cycle }) => cycle.cycleIndex],
  symbol: ["text", ({ holding }) => holding.symbol],
  type: ["text", ({ holding }) => holding.type],
  quantity: ["numeric", ({ holding }) => holding.quantity],
  leverage: ["float8", ({ holding }) => holding.leverage],
  entry_price: ["numeric", ({ holding }) => holding.entryPrice],
  cost: ["numeric", ({ holding }) => holding.cost],
  mark_price: ["numeric", ({ holding }) => holding.markPrice],
  mark_quality: ["text", ({ holding }) => holding.markQuality],
  notional: ["numeric", ({ holding }) => holding.notional],
  unrealized_pnl: ["numeric", ({ holding }) => holding.unrealizedPnl],
  unrealized_pnl_pct: ["numeric", ({ holding }) => holding.unrealizedPnlPct],
  entry_time: ["timestamptz", ({ holding }) => holding.entryAt],
  liquidation_price: ["numeric", ({ holding }) => holding.liquidationPrice],
});

export const strategies = batchFrom<MemberWrite>({
  id: ["uuid", (write) => write.strategyId],
  status: ["text", (write) => statusOf(write.state)],
  state: ["text", (write) => write.state],
  stop_reason: ["text", (write) => write.stopReason],
  stop_reason_detail: ["text", (write) => write.stopReasonDetail],
  cycle_index: ["int", (write) => write.cycle?.cycleIndex],
  last_execution_time: ["timestamptz", (write) => write.cycle?.composeTime],
  current_balance: ["numeric", (write) => write.cycle?.ledger.cash],
  total_value: ["numeric", (write) => write.cycle?.view.totalValue],
  realized_pnl: ["numeric", (write) => write.cycle?.ledger.realizedPnl],
  unrealized_pnl: ["numeric", (write) => write.cycle?.view.unrealizedPnl],
  total_trades: ["int", (write) => write.cycle?.ledger.totalTrades],
  winning_trades: ["int", (write) => write.cycle?.ledger.winningTrades],
  losing_trades: ["int", (write) => write.cycle?.ledger.losingTrades],
  max_drawdown: ["numeric", (write) => write.cycle?.ledger.maxDrawdown],
  peak_value: ["numeric", (write) => write.cycle?.ledger.peakEquity],
});

export const snapshots = batchFrom<Stored>({
  strategy_id: ["uuid", (write) => write.strategyId],
  seq: ["int8", (write) => write.seq],
  machine: ["text", (write) => write.envelope.machine],
  version: ["int", (write) => write.envelope.version],
  value: ["text", (write) => write.envelope.value],
  hash: ["text", (write) => write.envelope.hash],
  snapshot: ["text", (write) => write.envelope.snapshot],
});

function statusOf(state: StrategyState): StrategyStatus {
  return state === "stopped" || state === "cancelled" ? state : "running";
}
