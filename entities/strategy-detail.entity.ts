import { defineEntity, p } from "@mikro-orm/core";
import { amount, double, fraction, instant, timestamps } from "./columns.ts";
import { StrategyComposeCycle } from "./strategy-compose-cycle.entity.ts";

/** One leg of a fill: what it opened or closed and what that earned. */
const StrategyDetailSchema = defineEntity({
  name: "StrategyDetail",
  tableName: "strategy_details",
  properties: {
    strategyId: p.uuid().primary(),
    tradeId: p.uuid().primary(),
    cycle: () =>
      p
        .manyToOne(StrategyComposeCycle)
        .joinColumns("strategy_id", "cycle_index")
        .ownColumns("cycle_index")
        .deleteRule("cascade")
        .updateRule("no action"),
    composeId: p.uuid(),
    instructionId: p.uuid(),
    // 2 for the opening leg of a fill through zero.
    legNumber: p.integer(),
    // In the order the cycle's fills were booked, from 0.
    position: p.integer(),
    symbol: p.text(),
    kind: p.enum(["open", "close"] as const),
    type: p.enum(["LONG", "SHORT"] as const),
    side: p.enum(["BUY", "SELL"] as const),
    leverage: double(),
    quantity: amount(),
    entryPrice: amount(),
    exitPrice: amount().nullable(),
    notionalEntry: amount(),
    notionalExit: amount().nullable(),
    feeCost: amount(),
    realizedPnl: amount().nullable(),
    realizedPnlPct: fraction().nullable(),
    entryTime: instant(),
    exitTime: instant().nullable(),
    holdingMs: p.bigint("number").nullable(),
    eventTime: instant(),
    ...timestamps(),
  },
  indexes: [{ name: "idx_strategy_details_cycle", properties: ["cycle"] }],
});

export class StrategyDetail extends StrategyDetailSchema.class {}
StrategyDetailSchema.setClass(StrategyDetail);
