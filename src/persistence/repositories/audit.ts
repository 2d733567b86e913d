import type { JsonObject } from "#domain/json.ts";
import { batchOf } from "#persistence/hot/batch.ts";
import type { Sql } from "#persistence/sql.ts";

/** Who did what to what; part of the transaction that did it. */
export interface AuditEntry {
  /** A user's id, or the part of the product that acted. */
  actor: string;
  /** e.g. `strategy.stop` */
  action: string;
  subjectType: "strategy" | "definition" | "user" | "api" | "prompt" | "alert" | "history";
  subjectId: string;
  /** Never a secret (I13). */
  detail?: JsonObject;
}

const batch = batchOf({
  actor: "text",
  action: "text",
  subject_type: "text",
  subject_id: "text",
  detail: "jsonb",
});

const insert = batch.insertInto("audit_log");

export async function audit(sql: Sql, entries: readonly AuditEntry[]): Promise<void> {
  const rows = entries.map(({ actor, action, subjectType, subjectId, detail = {} }) => ({
    actor,
    action,
    subject_type: subjectType,
    subject_id: subjectId,
    detail,
  }));
  if (rows.length > 0) await sql.run(insert, batch.params(rows));
}
