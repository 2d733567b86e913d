import { defineEntity, p } from "@mikro-orm/core";
import { instant, randomId, timestamps } from "./columns.ts";

/** An outside API and its keys, which are stored sealed only (I13). */
const ApiConfigSchema = defineEntity({
  name: "ApiConfig",
  tableName: "api_config",
  properties: {
    id: randomId(),
    apiName: p.text().unique("uq_api_name"),
    displayName: p.text(),
    description: p.text(),
    baseUrl: p.text().nullable(),
    apiKeyEncrypted: p.text().nullable(),
    apiSecretEncrypted: p.text().nullable(),
    // Which key of ours sealed them: what a rotation still has to do.
    encryptionKeyId: p.text().nullable(),
    keyRotatedAt: instant().nullable(),
    // Requests per minute.
    rateLimit: p.integer().nullable().check("rate_limit > 0"),
    isActive: p.boolean().default(true),
    ...timestamps(),
  },
});

export class ApiConfig extends ApiConfigSchema.class {}
ApiConfigSchema.setClass(ApiConfig);
