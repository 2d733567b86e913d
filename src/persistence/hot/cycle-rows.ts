import type { Cycle } from "#domain/cycle.ts";
import type { MemberWrite } from "#ports/store.ts";
import {
  answers,
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
    stop_request_cause = case when r.state = 'stopped' then null else s.stop_request_cause end,
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
    snapshot = r.snapshot, updated_at = now()
  from ${snapshots.rows(first)}
  where s.strategy_id = r.strategy_id and s.seq < r.seq`;

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

/** Brings instructions of earlier cycles up to what their venue told; the parameters are those of `answersParams`. */
export const updateInstructions = `
  update strategy_instructions i set
    status = r.status, reason = r.reason, exchange_order_id = r.exchange_order_id,
    filled_quantity = r.filled_quantity, average_price = r.average_price, fee = r.fee,
    updated_at = now()
  from ${answers.rows(1)}
  where i.strategy_id = r.strategy_id and i.instruction_id = r.instruction_id`;

/** Null when no cycle of these has any, as on paper always. */
export function answersParams(writes: readonly MemberWrite[]): string[] | null {
  const answered = writes.flatMap(({ cycle }) => (cycle === null ? [] : answersOf(cycle)));
  return answered.length === 0 ? null : answers.params(answered);
}

export const statements = { storeMembers, updateInstructions };

/** @throws RangeError, TypeError when a value cannot be stored. */
export function membersParams(writes: readonly MemberWrite[]): string[] {
  const recorded = writes.flatMap((write) => write.cycle ?? []);
  return [
    ...strategies.params(writes),
    ...snapshots.params(writes),
    ...cycles.params(recorded),
    ...instructions.params(recorded.flatMap(instructionsOf)),
    ...details.params(recorded.flatMap(legsOf)),
    ...views.params(recorded),
    ...holdings.params(recorded.flatMap(holdingsOf)),
  ];
}

const instructionsOf = (cycle: Cycle) =>
  cycle.instructions.map((instruction) => ({ cycle, instruction }));

const answersOf = (cycle: Cycle) => cycle.answered.map((instruction) => ({ cycle, instruction }));

const legsOf = (cycle: Cycle) => cycle.legs.map((leg, position) => ({ cycle, leg, position }));

const holdingsOf = (cycle: Cycle) => cycle.view.holdings.map((holding) => ({ cycle, holding }));
