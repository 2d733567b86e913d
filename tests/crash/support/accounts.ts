// What a database on which one engine at a time has worked must add up to, commit by commit.
import type { Query } from "#support/invariants.ts";

const commands = `
  select s.shard_id, s.id, l.action from audit_log l join strategies s on s.id::text = l.subject_id
  where l.action in ('strategy.stop', 'strategy.resume')`;

const waiting = `
  select key.id, count(*) filter (where j.data ->> 'kind' = 'tick') as ticks,
    count(*) filter (where j.data ->> 'kind' = 'command') as commands
  from pgboss.job j join shards key on key.id::text = j.singleton_key
  where j.name = 'shards' and j.state <> 'completed' group by key.id`;

// Of commands not yet carried out; one that is done may wait a second time, sent again at a start.
const undone = `
  select shard_id as id, count(*) as commands from strategies
  where (desired_status = 'stopped') <> (state = 'stopped') group by 1`;

const FAULTS: Readonly<Record<string, string>> = {
  // A strategy that nobody commanded takes part in each commit of its shard, but for those that
  // carried out a command for another.
  "I7: a shard whose version did not move once per commit": `
    select sh.id, sh.version, a.seq, c.n as commanded, w.commands as undone from shards sh
    join strategies s on s.shard_id = sh.id
    join actor_snapshots a on a.strategy_id = s.id
    left join (select shard_id, count(*) as n from (${commands}) c group by 1) c
      on c.shard_id = sh.id
    left join (${undone}) w on w.id = sh.id
    where s.id not in (select id from (${commands}) c)
      and sh.version <> a.seq + coalesce(c.n, 0) - coalesce(w.commands, 0)`,
  "I14: a stop asked for that no message carries": `
    select s.id from strategies s left join (${waiting}) w on w.id = s.shard_id
    where (s.desired_status = 'stopped') <> (s.state = 'stopped') and coalesce(w.commands, 0) = 0`,
  "a tick that waits for a shard which no message brings": `
    select t.id, sh.id as shard_id from ticks t
    join shards sh on sh.definition_id = t.definition_id and sh.fanned_tick_id = t.id
    left join (${waiting}) w on w.id = sh.id
    where t.status = 'running' and sh.settled_tick_id is distinct from t.id
      and coalesce(w.ticks, 0) = 0`,
  "a tick to be analysed that no message brings": `
    select t.id from ticks t where t.status = 'pending' and not exists (
      select 1 from pgboss.job j where j.name = 'ticks' and j.state <> 'completed'
        and j.data ->> 'tickId' = t.id::text)`,
};

/** What does not add up, one line each; nothing before the queue has made its tables. */
export async function unaccounted(query: Query): Promise<string[]> {
  const [queue] = await query("select to_regclass('pgboss.job') is not null as exists");
  if (queue?.["exists"] !== true) return [];
  const found: string[] = [];
  for (const [rule, statement] of Object.entries(FAULTS)) {
    for (const row of await query(statement)) found.push(`${rule}: ${JSON.stringify(row)}`);
  }
  return found;
}
