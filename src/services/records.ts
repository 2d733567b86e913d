// The shapes of what the services answer, for those who may not know where it is stored.
export type { CycleRecord } from "#persistence/queries/cycles.ts";
export type { Page } from "#persistence/queries/page.ts";
export type { StoredView } from "#persistence/queries/portfolio.ts";
export type { StrategyListItem } from "#persistence/queries/strategies.ts";
export type { StoredLeg } from "#persistence/queries/trades.ts";
