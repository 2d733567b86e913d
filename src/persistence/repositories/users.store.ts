import type { UserRole } from "#entities/user.entity.ts";
import type { Database } from "#persistence/database.ts";
import { oneOf, text } from "#persistence/rows.ts";

export interface UserRecord {
  id: string;
  email: string;
  fullName: string;
  role: UserRole;
}

/** The user of this email, made with these values if there is none; an existing one keeps its own. */
export async function ensureUser(
  { sql }: Database,
  user: Omit<UserRecord, "id">,
): Promise<UserRecord> {
  const [row = {}] = await sql.rows(
    `insert into users (email, full_name, role) values ($1, $2, $3)
     on conflict (email) do update set email = excluded.email
     returning id, email, full_name, role`,
    [user.email, user.fullName, user.role],
  );
  return {
    id: text(row, "id"),
    email: text(row, "email"),
    fullName: text(row, "full_name"),
    role: oneOf(row, "role"),
  };
}
