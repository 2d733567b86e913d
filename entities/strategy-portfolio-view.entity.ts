import { defineEntity, p } from "@mikro-orm/core";
import { amount, instant, timestamps } from "./columns.ts";
import { StrategyComposeCycle } from "./strategy-compose-cycle.entity.ts";

/**
 * The portfolio after one cycle. One view per cycle, keyed by it: a stop and a tick may share a
 * time, so a key of (strategy, time) could collide.
 */
const StrategyPortfolioViewSchema = defineEntity({
  name: "StrategyPortfolioView",
  tableName: "strategy_portfolio_views",
  properties: {
    cycle: () =>
      p
        .manyToOne(StrategyComposeCycle)
        .joinColumns("strategy_id", "cycle_index")
        .primary()
        .deleteRule("cascade")
        .updateRule("no action"),
    snapshotTs: instant(),
    cash: amount(),
    totalValue: amount(),
    totalRealizedPnl: amount(),
    totalUnrealizedPnl: amount(),
    grossExposure: amount(),
    netExposure: amount(),
    buyingPower: amount(),
    ...timestamps(),
  },
});

export class StrategyPortfolioView extends StrategyPortfolioViewSchema.class {}
StrategyPortfolioViewSchema.setClass(StrategyPortfolioView);
