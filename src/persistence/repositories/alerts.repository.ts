import type { NewAlert } from "#ports/store.ts";
import { batchOf } from "#persistence/hot/batch.ts";
import { Alert } from "#entities/alert.entity.ts";
import type { Database } from "#persistence/database.ts";
import { now } from "#entities/columns.ts";
import type { Sql } from "#persistence/sql.ts";

const batch = batchOf({
  kind: "text",
  subject: "text",
  severity: "text",
  strategy_id: "uuid",
  message: "text",
  detail: "jsonb",
  occurrences: "int",
});

// Not the ORM's upsert: its conflict is with the partial unique index of open alerts, and the row that
// is there is counted up. Commits of the journal raise alerts too.
const upsert = `${batch.insertInto("alerts")}
  on conflict (kind, subject) where resolved_at is null do update set
    occurrences = alerts.occurrences + excluded.occurrences,
    severity = excluded.severity, message = excluded.message, detail = excluded.detail,
    last_seen_at = now(), updated_at = now()`;

export const statements = { upsert };

/** Stores alerts; one that is open already is counted up and takes the newest message. */
export async function raiseAlerts(sql: Sql, alerts: readonly NewAlert[]): Promise<void> {
  if (alerts.length === 0) return;
  await sql.run(upsert, batch.params(rowsOf(alerts)));
}

// One row per open alert, or the statement would touch a row twice; in key order, so that two
// transactions that raise the same alerts wait for each other instead of deadlocking.
function rowsOf(alerts: readonly NewAlert[]) {
  const byKey = Map.groupBy(alerts, ({ kind, subject }) => JSON.stringify([kind, subject]));
  const inOrder = [...byKey].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return inOrder.flatMap(([, same]) => {
    const newest = same.at(-1);
    if (newest === undefined) return [];
    const { strategyId, detail, message, ...alert } = newest;
    return {
      ...alert,
      strategy_id: strategyId,
      message: storable(message),
      detail: JSON.parse(JSON.stringify(detail, (_key, value: unknown) => storable(value))),
      occurrences: same.length,
    };
  });
}

/** An alert may quote the very text that the database refused: it is made storable instead. */
function storable<T>(value: T): T | string {
  return typeof value === "string" ? value.toWellFormed().replaceAll("\0", "�") : value;
}

/**
 * Closes an open alert; the same thing again opens a new one. False when none of that id is open.
 * @public for the alerts of the API
 */
export function resolveAlert(
  database: Database,
  { alertId, actor }: { alertId: string; actor: string },
): Promise<boolean> {
  return database.transactional(async ({ em }) => {
    const resolved = await em.nativeUpdate(
      Alert,
      { id: alertId, resolvedAt: null },
      { resolvedAt: now(), resolvedBy: actor, updatedAt: now() },
    );
    return resolved === 1;
  });
}
