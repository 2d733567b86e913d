import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";

export const userRoles = ["user", "trader", "admin"] as const;
export type UserRole = (typeof userRoles)[number];

/** Who acts; the auth layer adds what it needs to know besides. */
const UserSchema = defineEntity({
  name: "User",
  tableName: "users",
  properties: {
    id: randomId(),
    email: p.text().unique("uq_user_email"),
    fullName: p.text(),
    role: p.enum(userRoles).default("user"),
    ...timestamps(),
  },
});

export class User extends UserSchema.class {}
UserSchema.setClass(User);
