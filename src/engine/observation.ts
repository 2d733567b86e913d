import { DomainError } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { ObserveMarket } from "#ports/market-feed.ts";
import type { EngineDependencies } from "./dependencies.ts";
import { withinTime } from "./time-limit.ts";

const EXIT_LOOKS = 3;
const BETWEEN_LOOKS_MS = 500;

type Request = Parameters<ObserveMarket>[0];
type Means = Pick<EngineDependencies, "observe" | "settings" | "timer">;

/**
 * One look at the market. A source that never answers must not hold up a group or a shard for ever.
 * @throws DomainError PORT_TIMEOUT; the reason of an abort
 */
export function observeInTime(
  request: Request,
  means: Means,
  signal?: AbortSignal,
): Promise<MarketSnapshot> {
  const { observe, settings, timer } = means;
  const ms = settings.marketTimeoutMs;
  const expired = (): never => {
    throw new DomainError("PORT_TIMEOUT", `no prices within ${ms} ms`);
  };
  return withinTime(observe(request), { ms, timer, expired, signal });
}

/**
 * A few looks, for an exit is worth a short wait (I12), and no more, for the shard's other members
 * wait as long.
 * @throws whatever the last look failed of; the reason of an abort
 */
export async function observeForExit(
  request: Request,
  means: Means,
  signal: AbortSignal,
): Promise<MarketSnapshot> {
  for (let look = 1; ; look += 1) {
    try {
      return await observeInTime(request, means, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (look === EXIT_LOOKS) throw error;
      await means.timer.after(BETWEEN_LOOKS_MS * look, signal);
      signal.throwIfAborted();
    }
  }
}

/** A market nobody has looked at: what is held keeps its last mark, and says that it is stale (I11). */
export function unseen(at: number): MarketSnapshot {
  return { at, quotes: {}, funding: [], facts: {} };
}
