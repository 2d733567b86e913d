import { User, type UserRole } from "#entities/user.entity.ts";
import type { Database } from "#persistence/database.ts";

export interface UserRecord {
  id: string;
  email: string;
  fullName: string;
  role: UserRole;
}

/** The user of this email, made with these values if there is none; an existing one keeps its own. */
export function ensureUser(database: Database, user: Omit<UserRecord, "id">): Promise<UserRecord> {
  return database.transactional(async ({ em }) => {
    const { id, email, fullName, role } = await em.upsert(User, user, {
      onConflictFields: ["email"],
      onConflictAction: "ignore",
    });
    return { id, email, fullName, role };
  });
}
