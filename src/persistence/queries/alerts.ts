import type { JsonObject } from "#domain/json.ts";
import type { NewAlert } from "#ports/store.ts";
import type { Database } from "#persistence/database.ts";
import { json, ms, number, numberOrNull, oneOf, text, textOrNull } from "#persistence/rows.ts";
import type { Row } from "#persistence/sql.ts";
import { keyOf, limitOf, type Page, pageOf, type PageRequest } from "./page.ts";

export interface AlertRecord {
  id: string;
  kind: string;
  severity: NewAlert["severity"];
  subject: string;
  strategyId: string | null;
  message: string;
  detail: JsonObject;
  occurrences: number;
  /** ms UTC */
  firstSeenAt: number;
  lastSeenAt: number;
  /** Null while it is open. */
  resolvedAt: number | null;
  resolvedBy: string | null;
}

export const statements = {
  list: `
    select a.id, a.kind, a.severity, a.subject, a.strategy_id, a.message, a.detail, a.occurrences,
      ${ms("a.first_seen_at")} as first_seen_at, ${ms("a.last_seen_at")} as last_seen_at,
      ${ms("a.resolved_at")} as resolved_at, a.resolved_by, a.first_seen_at::text as sort_key
    from alerts a
    where ($2::boolean is not true or a.resolved_at is null)
      and ($3::uuid is null or a.strategy_id = $3::uuid)
      and ($4::timestamptz is null or (a.first_seen_at, a.id) < ($4::timestamptz, $5::uuid))
    order by a.first_seen_at desc, a.id desc limit $1`,
};

/** Newest first. @public for the alerts of the API */
export async function listAlerts(
  { sql }: Database,
  request: PageRequest & { openOnly?: boolean; strategyId?: string } = {},
): Promise<Page<AlertRecord>> {
  const limit = limitOf(request);
  const [at = null, id = null] = keyOf(request, "alerts") ?? [];
  const rows = await sql.rows(statements.list, [
    limit + 1,
    request.openOnly ?? false,
    request.strategyId ?? null,
    at,
    id,
  ]);
  return pageOf(rows, limit, {
    list: "alerts",
    item: recordOf,
    key: (row) => [text(row, "sort_key"), text(row, "id")],
  });
}

function recordOf(row: Row): AlertRecord {
  return {
    id: text(row, "id"),
    kind: text(row, "kind"),
    severity: oneOf(row, "severity"),
    subject: text(row, "subject"),
    strategyId: textOrNull(row, "strategy_id"),
    message: text(row, "message"),
    detail: json(row, "detail"),
    occurrences: number(row, "occurrences"),
    firstSeenAt: number(row, "first_seen_at"),
    lastSeenAt: number(row, "last_seen_at"),
    resolvedAt: numberOrNull(row, "resolved_at"),
    resolvedBy: textOrNull(row, "resolved_by"),
  };
}
