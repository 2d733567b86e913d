import type { Definition } from "#domain/definition.ts";
import { defineEntity, p } from "@mikro-orm/core";
import { timestamps } from "./columns.ts";
import { StrategyDefinition } from "./strategy-definition.entity.ts";

/** What a definition said at each of its versions: append-only, so any past cycle can be decided again (I15). */
const DefinitionVersionSchema = defineEntity({
  name: "DefinitionVersion",
  tableName: "definition_versions",
  properties: {
    definition: () => p.manyToOne(StrategyDefinition).primary().deleteRule("cascade"),
    version: p.integer().primary(),
    content: p.json<Definition>(),
    ...timestamps(),
  },
});

export class DefinitionVersion extends DefinitionVersionSchema.class {}
DefinitionVersionSchema.setClass(DefinitionVersion);
