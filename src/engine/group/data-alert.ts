import type { Definition } from "#domain/definition.ts";
import { newsEveryMs, waitText } from "#domain/timeframe.ts";
import type { MarketFeed } from "#ports/market-feed.ts";
import type { NewAlert } from "#ports/store.ts";

/** A template that asks more often than its bars come; said again at each start. */
export function dataAlert(
  definition: Definition,
  feed: Pick<MarketFeed, "symbols" | "stepMs">,
): NewAlert {
  const { id: definitionId, periodMinutes, symbols } = definition;
  const barMinutes = (newsEveryMs(symbols, feed) ?? 0) / 60_000;
  return {
    kind: "template_finer_than_data",
    severity: "warning",
    subject: definitionId,
    strategyId: null,
    message: waitText(definition, feed),
    detail: { definitionId, periodMinutes, barMinutes },
  };
}
