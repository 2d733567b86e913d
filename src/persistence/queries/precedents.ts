import type { Protection } from "#domain/decision.ts";
import type { Database } from "#persistence/database.ts";
import { jsonOrNull, ms, numberOrNull } from "#persistence/rows.ts";

/** What earlier cycles left for a later one, besides the portfolio. */
export interface Precedents {
  /** In force when the cycle began. */
  protections: Protection[];
  /** `scheduledFor` of the strategy's previous recorded tick, ms UTC. */
  lastTickFor: number | null;
}

const precedents = `
  select
    (select c.decision -> 'protections' from strategy_compose_cycles c
     where c.strategy_id = $1 and c.cycle_index < $2 and c.decision is not null
     order by c.cycle_index desc limit 1) as protections,
    (select ${ms("t.scheduled_for")} from strategy_compose_cycles c join ticks t on t.id = c.tick_id
     where c.strategy_id = $1 and c.cycle_index < $2
     order by c.cycle_index desc limit 1) as last_tick_for`;

export async function precedentsOf(
  { sql }: Database,
  strategyId: string,
  cycleIndex: number,
): Promise<Precedents> {
  const [row = {}] = await sql.rows(precedents, [strategyId, cycleIndex]);
  return {
    protections: jsonOrNull<Protection[]>(row, "protections") ?? [],
    lastTickFor: numberOrNull(row, "last_tick_for"),
  };
}
