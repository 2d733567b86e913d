import type { JsonObject } from "#domain/json.ts";
import { AuditLog } from "#entities/audit-log.entity.ts";
import type { OpenTransaction } from "#persistence/database.ts";

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

/** Written with the other entities of the transaction. */
export function audit({ em }: OpenTransaction, entry: AuditEntry): void {
  em.create(AuditLog, entry);
}
