import { defineEntity, p } from "@mikro-orm/core";
import { randomId, timestamps } from "./columns.ts";

/** A prompt for the prompt-based decision agent. */
const StrategyPromptSchema = defineEntity({
  name: "StrategyPrompt",
  tableName: "strategy_prompts",
  properties: {
    id: randomId(),
    name: p.text(),
    content: p.text(),
    // Shipped with the product: cannot be deleted.
    isSystem: p.boolean().default(false),
    ...timestamps(),
  },
});

export class StrategyPrompt extends StrategyPromptSchema.class {}
StrategyPromptSchema.setClass(StrategyPrompt);
