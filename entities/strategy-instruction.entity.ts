import { defineEntity, p } from "@mikro-orm/core";
import { amount, double, timestamps } from "./columns.ts";
import { StrategyComposeCycle } from "./strategy-compose-cycle.entity.ts";

export const instructionStatuses = ["pending", "filled", "partial", "rejected", "error"] as const;

/** One intended order and what became of it; refused ones stay, for the audit. */
const StrategyInstructionSchema = defineEntity({
  name: "StrategyInstruction",
  tableName: "strategy_instructions",
  properties: {
    strategyId: p.uuid().primary(),
    instructionId: p.uuid().primary(),
    cycle: () =>
      p
        .manyToOne(StrategyComposeCycle)
        .joinColumns("strategy_id", "cycle_index")
        .ownColumns("cycle_index")
        .deleteRule("cascade")
        .updateRule("no action"),
    composeId: p.uuid(),
    // In execution order, from 0.
    position: p.integer(),
    symbol: p.text(),
    action: p.enum(["open_long", "open_short", "close_long", "close_short"] as const),
    side: p.enum(["BUY", "SELL"] as const),
    quantity: amount(),
    leverage: double(),
    priceMode: p.enum(["market", "limit"] as const),
    limitPrice: amount().nullable(),
    reduceOnly: p.boolean(),
    clientOrderId: p.text(),
    note: p.text().nullable(),
    status: p.enum(instructionStatuses),
    reason: p.text().nullable(),
    exchangeOrderId: p.text().nullable(),
    filledQuantity: amount(),
    averagePrice: amount().nullable(),
    fee: amount(),
    ...timestamps(),
  },
  indexes: [{ name: "idx_strategy_instructions_cycle", properties: ["cycle"] }],
});

export class StrategyInstruction extends StrategyInstructionSchema.class {}
StrategyInstructionSchema.setClass(StrategyInstruction);
