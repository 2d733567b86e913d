import type { Db } from "pg-boss";

// pg-boss writes down moments of the database's clock: when a message may be delivered, when its
// claim was last alive, when queues were last supervised. No such moment can lie ahead by more than
// the longest retry delay, unless that clock was set back since; then it would be waited for.
const repairIn = (schema: string) => `
  with late_messages as (
    update ${schema}.job set start_after = ${schema}.job_now()
    where state in ('created', 'retry')
      and start_after > ${schema}.job_now() + $1::int * interval '1 second'
  ), late_claims as (
    update ${schema}.job set heartbeat_on = ${schema}.job_now()
    where state = 'active' and heartbeat_on > ${schema}.job_now() + interval '1 second'
  )
  update ${schema}.queue set monitor_claim_on = null, monitor_on = null, maintain_on = null
  where greatest(monitor_claim_on, monitor_on, maintain_on)
    > ${schema}.job_now() + interval '1 second'`;

/** Brings the queue's own moments back to now after the database's clock was set back. */
export async function repairMoments(
  db: Db,
  schema: string,
  retryDelayMaxSeconds: number,
): Promise<void> {
  await db.executeSql(repairIn(schema), [retryDelayMaxSeconds + 1]);
}
