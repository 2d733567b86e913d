import type { Definition } from "./definition.ts";
import { durationText } from "./duration-text.ts";

const MS_PER_MINUTE = 60_000;

/**
 * A template has no timeframe beside its period: it looks once per period, at bars as long as one.
 * Bars and ticks have the same boundaries, multiples of the period since 1970 UTC.
 */
export function timeframeMs({ periodMinutes }: Pick<Definition, "periodMinutes">): number {
  return periodMinutes * MS_PER_MINUTE;
}

/** What a feed says of its own bars. */
interface FeedSteps {
  readonly symbols: readonly string[];
  stepMs(symbol: string): number | null;
}

/**
 * How often something new can be seen of any of `symbols`, ms: the finest step of their bars. Of
 * symbols the feed does not know, as often as of anything else, so that they hold up nobody. Null for
 * a feed without bars: something new can be there at any time.
 */
export function newsEveryMs(symbols: readonly string[], feed: FeedSteps): number | null {
  return finest(symbols, feed) ?? finest(feed.symbols, feed);
}

/** Is the template's period shorter than the bars it gets? Then it waits for the next bar. */
export function isFinerThanData(
  definition: Pick<Definition, "periodMinutes" | "symbols">,
  feed: FeedSteps,
): boolean {
  return (newsEveryMs(definition.symbols, feed) ?? 0) > timeframeMs(definition);
}

/** Said of such a template. */
export function waitText(
  definition: Pick<Definition, "name" | "periodMinutes" | "symbols">,
  feed: FeedSteps,
): string {
  const period = durationText(timeframeMs(definition));
  const bars = durationText(newsEveryMs(definition.symbols, feed) ?? 0);
  return `${definition.name} ticks every ${period} and its bars come every ${bars}: it waits for each and decides once per bar`;
}

function finest(symbols: readonly string[], feed: FeedSteps): number | null {
  const steps = symbols.map((symbol) => feed.stepMs(symbol)).filter((step) => step !== null);
  return steps.length === 0 ? null : Math.min(...steps);
}
