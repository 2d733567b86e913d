import { defineEntity, p } from "@mikro-orm/core";
import { amount, double, fraction, instant, timestamps } from "./columns.ts";
import { StrategyPortfolioView } from "./strategy-portfolio-view.entity.ts";

/** One open position of one view; a view without rows here holds nothing. */
const StrategyHoldingSchema = defineEntity({
  name: "StrategyHolding",
  tableName: "strategy_holdings",
  properties: {
    view: () =>
      p
        .manyToOne(StrategyPortfolioView)
        .joinColumns("strategy_id", "cycle_index")
        .primary()
        .deleteRule("cascade")
        .updateRule("no action"),
    symbol: p.text().primary(),
    type: p.enum(["LONG", "SHORT"] as const),
    // Signed.
    quantity: amount(),
    leverage: double(),
    entryPrice: amount(),
    cost: amount(),
    markPrice: amount(),
    markQuality: p.enum(["fresh", "stale"] as const),
    notional: amount(),
    unrealizedPnl: amount(),
    unrealizedPnlPct: fraction(),
    entryTime: instant(),
    liquidationPrice: amount().nullable(),
    ...timestamps(),
  },
});

export class StrategyHolding extends StrategyHoldingSchema.class {}
StrategyHoldingSchema.setClass(StrategyHolding);
