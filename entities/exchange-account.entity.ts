import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";
import { User } from "./user.entity.ts";

/** A user's live credentials at one exchange: sealed, written, never read back out (I13). */
const ExchangeAccountSchema = defineEntity({
  name: "ExchangeAccount",
  tableName: "exchange_accounts",
  properties: {
    id: randomId(),
    user: () => p.manyToOne(User).deleteRule("cascade"),
    exchange: p.text(),
    label: p.text(),
    credentialsEncrypted: p.text(),
    encryptionKeyId: p.text(),
    isActive: p.boolean().default(true),
    ...timestamps(),
  },
  uniques: [{ name: "uq_exchange_account", properties: ["user", "exchange", "label"] }],
});

export class ExchangeAccount extends ExchangeAccountSchema.class {}
ExchangeAccountSchema.setClass(ExchangeAccount);
