import type { Cycle } from "#domain/cycle.ts";
import type { StrategyState } from "#domain/strategy.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { StrategyStatus } from "#entities/strategy.entity.ts";
import { instant, instantOrNull } from "./batch.ts";
import {
  cycles,
  details,
  holdings,
  instructions,
  snapshots,
  strategies,
  views,
} from "./cycle-batches.ts";

// What a shard did is one statement, whatever the number of its cycles: seven batches, one per table,
// in one round trip. One statement is whole or nothing by itself (I1).

const keep = (column: string): string => `${column} = coalesce(r.${column}, s.${column})`;

// A strategy that stopped, for whatever reason, is no longer wanted to run: nothing but a new
// request may start it again (I9). Requests lock the shard before the strategy, as a commit does,
// and a resume is refused until the stop is stored, so this cannot swallow a newer wish.
const updateStrategies = (first: number) => `
  update strategies s set
    status = r.status, state = r.state,
    stop_reason = r.stop_reason, stop_reason_detail = r.stop_reason_detail,
    desired_status = case when r.state = 'stopped' then 'stopped' else s.desired_status end,
    stop_command_id = case when r.state = 'stopped' then null else s.stop_command_id end,
    stop_close_positions = case when r.state = 'stopped' then null else s.stop_close_positions end,
    stop_request_reason = case when r.state = 'stopped' then null else s.stop_request_reason end,
    ${[
      "cycle_index",
      "last_execution_time",
      "current_balance",
      "total_value",
      "realized_pnl",
      "unrealized_pnl",
      "total_trades",
      "winning_trades",
      "losing_trades",
      "max_drawdown",
      "peak_value",
    ]
      .map(keep)
      .join(", ")},
    total_pnl = coalesce(r.realized_pnl + r.unrealized_pnl, s.total_pnl),
    win_rate = case when r.winning_trades + r.losing_trades > 0
      then r.winning_trades::numeric / (r.winning_trades + r.losing_trades) else s.win_rate end,
    updated_at = now()
  from ${strategies.rows(first)}
  where s.id = r.id`;

// A snapshot never goes back: one that is not newer than the stored one changes no row.
const updateSnapshots = (first: number) => `
  update actor_snapshots s set
    seq = r.seq, machine = r.machine, version = r.version, value = r.value, hash = r.hash,
    context = r.context, updated_at = now()
  from ${snapshots.rows(first)}
  where s.strategy_id = r.strategy_id and s.seq < r.seq`;

/** The first snapshot of new strategies. */
export const insertSnapshots = snapshots.insertInto("actor_snapshots");

const order = [strategies, snapshots, cycles, instructions, details, views, holdings];

/** The number of the batch's first parameter, all batches being given one after the other. */
const firstOf = (batch: (typeof order)[number]): number =>
  1 + order.slice(0, order.indexOf(batch)).reduce((sum, { names }) => sum + names.length, 0);

/**
 * Stores a batch of writes; the parameters are those of `membersParams`. Answers how many strategies
 * and snapshots it found to change: fewer than there are writes means that one was gone, or newer.
 */
export const storeMembers = `
  with
    changed_strategies as (${updateStrategies(firstOf(strategies))} returning 1),
    changed_snapshots as (${updateSnapshots(firstOf(snapshots))} returning 1),
    cycles as (${cycles.insertInto("strategy_compose_cycles", firstOf(cycles))}),
    instructions as (${instructions.insertInto("strategy_instructions", firstOf(instructions))}),
    details as (${details.insertInto("strategy_details", firstOf(details))}),
    views as (${views.insertInto("strategy_portfolio_views", firstOf(views))}),
    holdings as (${holdings.insertInto("strategy_holdings", firstOf(holdings))})
  select (select count(*)::int from changed_strategies) as strategies,
    (select count(*)::int from changed_snapshots) as snapshots`;

/** @throws RangeError, TypeError when a value cannot be stored. */
export function membersParams(writes: readonly MemberWrite[]): string[] {
  const recorded = writes.flatMap((write) => write.cycle ?? []);
  return [
    ...strategies.params(writes.map(strategyRow)),
    ...snapshots.params(writes.map(snapshotRow)),
    ...cycles.params(recorded.map(cycleRow)),
    ...instructions.params(recorded.flatMap(instructionRows)),
    ...details.params(recorded.flatMap(detailRows)),
    ...views.params(recorded.map(viewRow)),
    ...holdings.params(recorded.flatMap(holdingRows)),
  ];
}

/** Parameters of `insertSnapshots`. */
export function snapshotParams(first: readonly Parameters<typeof snapshotRow>[0][]): string[] {
  return snapshots.params(first.map(snapshotRow));
}

function statusOf(state: StrategyState): StrategyStatus {
  return state === "stopped" || state === "cancelled" ? state : "running";
}

function strategyRow(write: MemberWrite) {
  const { cycle } = write;
  return {
    id: write.strategyId,
    status: statusOf(write.state),
    state: write.state,
    stop_reason: write.stopReason,
    stop_reason_detail: write.stopReasonDetail,
    cycle_index: cycle?.cycleIndex,
    last_execution_time: cycle === null ? null : instant(cycle.composeTime),
    current_balance: cycle?.ledger.cash,
    total_value: cycle?.view.totalValue,
    realized_pnl: cycle?.ledger.realizedPnl,
    unrealized_pnl: cycle?.view.unrealizedPnl,
    total_trades: cycle?.ledger.totalTrades,
    winning_trades: cycle?.ledger.winningTrades,
    losing_trades: cycle?.ledger.losingTrades,
    max_drawdown: cycle?.ledger.maxDrawdown,
    peak_value: cycle?.ledger.peakEquity,
  };
}

function snapshotRow(write: Pick<MemberWrite, "strategyId" | "seq" | "envelope">) {
  const { machine, version, value, hash, context } = write.envelope;
  return { strategy_id: write.strategyId, seq: write.seq, machine, version, value, hash, context };
}

function cycleRow(cycle: Cycle) {
  return {
    strategy_id: cycle.strategyId,
    cycle_index: cycle.cycleIndex,
    compose_id: cycle.composeId,
    tick_id: cycle.tickId,
    cause: cycle.cause,
    compose_time: instant(cycle.composeTime),
    status: cycle.status,
    rationale: cycle.rationale,
    decision: cycle.decision,
    state_before: cycle.stateBefore,
    params_version: cycle.paramsVersion,
    definition_version: cycle.definitionVersion,
    error: cycle.error,
    duration_ms: cycle.durationMs,
  };
}

function instructionRows(cycle: Cycle) {
  return cycle.instructions.map((instruction) => ({
    strategy_id: cycle.strategyId,
    instruction_id: instruction.instructionId,
    cycle_index: cycle.cycleIndex,
    compose_id: cycle.composeId,
    position: instruction.index,
    symbol: instruction.symbol,
    action: instruction.action,
    side: instruction.side,
    quantity: instruction.quantity,
    leverage: instruction.leverage,
    price_mode: instruction.priceMode,
    limit_price: instruction.limitPrice,
    reduce_only: instruction.reduceOnly,
    client_order_id: instruction.clientOrderId,
    note: instruction.note,
    status: instruction.status,
    reason: instruction.reason,
    exchange_order_id: instruction.exchangeOrderId,
    filled_quantity: instruction.filledQuantity,
    average_price: instruction.averagePrice,
    fee: instruction.fee,
  }));
}

function detailRows(cycle: Cycle) {
  return cycle.legs.map((leg, position) => ({
    strategy_id: cycle.strategyId,
    trade_id: leg.tradeId,
    cycle_index: cycle.cycleIndex,
    compose_id: cycle.composeId,
    instruction_id: leg.instructionId,
    leg_number: leg.legNumber,
    position,
    symbol: leg.symbol,
    kind: leg.kind,
    type: leg.type,
    side: leg.side,
    leverage: leg.leverage,
    quantity: leg.quantity,
    entry_price: leg.entryPrice,
    exit_price: leg.exitPrice,
    notional_entry: leg.notionalEntry,
    notional_exit: leg.notionalExit,
    fee_cost: leg.feeCost,
    realized_pnl: leg.realizedPnl,
    realized_pnl_pct: leg.realizedPnlPct,
    entry_time: instant(leg.entryAt),
    exit_time: instantOrNull(leg.exitAt),
    holding_ms: leg.holdingMs,
    event_time: instant(leg.eventAt),
  }));
}

function viewRow({ strategyId, cycleIndex, view }: Cycle) {
  return {
    strategy_id: strategyId,
    cycle_index: cycleIndex,
    snapshot_ts: instant(view.at),
    cash: view.cash,
    total_value: view.totalValue,
    total_realized_pnl: view.realizedPnl,
    total_unrealized_pnl: view.unrealizedPnl,
    gross_exposure: view.grossExposure,
    net_exposure: view.netExposure,
    buying_power: view.buyingPower,
  };
}

function holdingRows({ strategyId, cycleIndex, view }: Cycle) {
  return view.holdings.map((holding) => ({
    strategy_id: strategyId,
    cycle_index: cycleIndex,
    symbol: holding.symbol,
    type: holding.type,
    quantity: holding.quantity,
    leverage: holding.leverage,
    entry_price: holding.entryPrice,
    cost: holding.cost,
    mark_price: holding.markPrice,
    mark_quality: holding.markQuality,
    notional: holding.notional,
    unrealized_pnl: holding.unrealizedPnl,
    unrealized_pnl_pct: holding.unrealizedPnlPct,
    entry_time: instant(holding.entryAt),
    liquidation_price: holding.liquidationPrice,
  }));
}
