import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { instant, randomId, timestamps } from "./columns.ts";
import { Strategy } from "./strategy.entity.ts";

/** Something that needs attention; the same thing again while unresolved is counted, not repeated. */
const AlertSchema = defineEntity({
  name: "Alert",
  tableName: "alerts",
  properties: {
    id: randomId(),
    kind: p.text(),
    severity: p.enum(["warning", "error", "critical"] as const),
    subject: p.text(),
    strategy: () =>
      p.manyToOne(Strategy).nullable().deleteRule("cascade").index("idx_alerts_strategy"),
    message: p.text(),
    detail: p.json<JsonObject>(),
    occurrences: p.integer().default(1),
    firstSeenAt: instant().defaultRaw("now()"),
    lastSeenAt: instant().defaultRaw("now()"),
    resolvedAt: instant().nullable(),
    resolvedBy: p.text().nullable(),
    ...timestamps(),
  },
  indexes: [
    { name: "idx_alerts_first_seen", properties: ["firstSeenAt", "id"] },
    {
      name: "uq_alert_open",
      expression:
        'create unique index "uq_alert_open" on "alerts" ("kind", "subject") where resolved_at is null',
    },
  ],
});

export class Alert extends AlertSchema.class {}
AlertSchema.setClass(Alert);
