import type { JsonObject } from "#domain/json.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { timestamps } from "./columns.ts";
import { Strategy } from "./strategy.entity.ts";

/** What a strategy's params were at each of their versions: append-only (I15). */
const StrategyParamVersionSchema = defineEntity({
  name: "StrategyParamVersion",
  tableName: "strategy_param_versions",
  properties: {
    strategy: () => p.manyToOne(Strategy).primary().deleteRule("cascade"),
    version: p.integer().primary(),
    params: p.json<JsonObject>(),
    changedBy: p.text().nullable(),
    ...timestamps(),
  },
});

export class StrategyParamVersion extends StrategyParamVersionSchema.class {}
StrategyParamVersionSchema.setClass(StrategyParamVersion);
