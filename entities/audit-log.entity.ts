import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";

/** Who changed what: append-only, and kept when its subject is gone. */
const AuditLogSchema = defineEntity({
  name: "AuditLog",
  tableName: "audit_log",
  properties: {
    id: randomId(),
    // A user's id, or which part of the product acted.
    actor: p.text(),
    action: p.text(),
    subjectType: p.text(),
    subjectId: p.text(),
    detail: p.json<JsonObject>().defaultRaw("'{}'"),
    ...timestamps(),
  },
  indexes: [
    { name: "idx_audit_log_created", properties: ["createdAt", "id"] },
    { name: "idx_audit_log_subject", properties: ["subjectType", "subjectId", "createdAt"] },
  ],
});

export class AuditLog extends AuditLogSchema.class {}
AuditLogSchema.setClass(AuditLog);
