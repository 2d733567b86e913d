// A long past, made of what the strategies really did: the rows of some ticks are stored again and
// again, with new ids and so many days apart, until there are as many cycles as asked for.
import { sealAt, unseal } from "#engine/strategy/envelope.ts";
import { batchOf } from "#persistence/hot/batch.ts";
import type { Database } from "#persistence/database.ts";
import { number, text } from "#persistence/rows.ts";
import { envelopeColumns, envelopeOf } from "#persistence/hot/shards.store.ts";
import type { SqlTransaction } from "#persistence/sql.ts";

const TABLES = [
  "ticks",
  "agent_runs",
  "strategy_compose_cycles",
  "strategy_instructions",
  "strategy_details",
  "strategy_portfolio_views",
  "strategy_holdings",
];

const IDS = ["id", "tick_id", "compose_id", "instruction_id", "trade_id"];
const INSTANTS = [
  "scheduled_for",
  "previous_for",
  "compose_time",
  "snapshot_ts",
  "entry_time",
  "exit_time",
  "event_time",
];

const snapshots = batchOf({ strategy_id: "uuid", hash: "text", snapshot: "text" });

/**
 * Leaves `cycles` of them stored, to the nearest multiple of what there is, all strategies alike; the
 * newest are those that were there. 0 leaves none, as after pruning. Answers how many there are now.
 */
export async function storeHistory(database: Database, cycles: number): Promise<number> {
  // The server is silent for longer than it may be at ordinary work.
  await database.patiently(() => database.transactional((tx) => rewrite(tx, cycles)));
  // What autovacuum does in time to tables that grow.
  await database.patiently(() => database.sql.run("vacuum analyze"));

  const rows = await database.sql.rows("select count(*) as cycles from strategy_compose_cycles");
  return number(rows[0] ?? {}, "cycles");
}

async function rewrite(tx: SqlTransaction, cycles: number): Promise<void> {
  const counts = "count(*) as cycles, max(cycle_index) as ticks";
  const [found = {}] = await tx.rows(`select ${counts} from strategy_compose_cycles`);
  const ticks = number(found, "ticks");
  const copies = Math.round(cycles / number(found, "cycles"));
  // References hold by construction; a check for each of some million rows takes longer than the rows.
  await tx.run("set local session_replication_role = replica");
  for (const table of TABLES) {
    await tx.run(`create temporary table old_${table} on commit drop as select * from ${table}`);
  }
  await tx.run(`truncate ${TABLES.join(", ")}`);
  for (const table of TABLES) await repeat(tx, table, { copies, ticks });
  if (copies > 1) await renumber(tx, (copies - 1) * ticks);
}

async function repeat(
  tx: SqlTransaction,
  table: string,
  { copies, ticks }: { copies: number; ticks: number },
): Promise<void> {
  const columns = await tx.rows(
    `select column_name from information_schema.columns
     where table_schema = current_schema() and table_name = $1 order by ordinal_position`,
    [table],
  );
  const names = columns.map((row) => text(row, "column_name"));
  const values = names.map((name) => {
    if (IDS.includes(name)) {
      return `case when copy = ${copies} then ${name} else md5(${name}::text || copy)::uuid end`;
    }
    if (INSTANTS.includes(name)) return `${name} - (${copies} - copy) * interval '${ticks} days'`;
    return name === "cycle_index" ? `cycle_index + (copy - 1) * ${ticks}` : name;
  });
  await tx.run(
    `insert into ${table} (${names.join(", ")})
     select ${values.join(", ")} from generate_series(1, ${copies}) copy, old_${table}`,
  );
}

/** The strategies' own count of their cycles, in their rows and in their actors' snapshots. */
async function renumber(tx: SqlTransaction, by: number): Promise<void> {
  await tx.run("update strategies set cycle_index = cycle_index + $1::int", [by]);
  const rows = await tx.rows(`select a.strategy_id, ${envelopeColumns} from actor_snapshots a`);
  const moved = rows.map((row) => {
    const unsealed = unseal(envelopeOf(row));
    if (!unsealed.ok) throw new Error(`snapshot: ${unsealed.detail}`);
    const { context, value } = unsealed;
    const moved = { ...context, cycleIndex: context.cycleIndex + by };
    const { hash, snapshot } = sealAt({ value, context: moved });
    return { strategy_id: text(row, "strategy_id"), hash, snapshot };
  });
  await tx.run(
    `update actor_snapshots s set hash = r.hash, snapshot = r.snapshot
     from ${snapshots.rows()} where s.strategy_id = r.strategy_id`,
    snapshots.params(moved),
  );
}
