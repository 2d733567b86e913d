import { tracked, type TrackedEnvelope } from "@trpc/server";
import type { z } from "zod";
import { toTransportError } from "./errors.ts";
import type { change, changeRequest } from "./schemas/strategies.ts";
import type { Context } from "./trpc.ts";

type Change = z.infer<typeof change>;

interface Subscription {
  ctx: Context & { requestId: string };
  input: z.output<typeof changeRequest>;
  signal: AbortSignal | undefined;
}

/** Batches of changes, each with the id a client may go on after. */
export async function* changes({
  ctx,
  input,
  signal,
}: Subscription): AsyncGenerator<TrackedEnvelope<Change[]>, void> {
  const { strategyIds, lastEventId } = input;
  const feed = ctx.changes;
  using _subscription = ctx.connection.subscription();
  try {
    // No request ends before it was asked to: without a signal there is nobody to end it.
    const request = {
      strategyIds: strategyIds === undefined ? null : new Set(strategyIds),
      after: revisionOf(lastEventId ?? null, feed.id),
      signal: signal ?? AbortSignal.abort(),
    };
    if (strategyIds !== undefined) await assertAllExist(ctx, strategyIds);
    for await (const batch of feed.changes(request)) {
      const last = batch.at(-1);
      if (last === undefined) continue;
      yield tracked(
        `${feed.id}.${last.revision}`,
        batch.map(({ strategy }) => strategy),
      );
      await ctx.connection.drained();
    }
  } catch (error) {
    throw toTransportError(error, ctx.requestId);
  }
}

/** 0, everything, for an id of another process: its numbers mean nothing here. */
function revisionOf(lastEventId: string | null, feedId: string): number {
  const [feed, revision] = lastEventId?.split(".") ?? [];
  const after = Number(revision);
  return feed === feedId && Number.isSafeInteger(after) ? after : 0;
}

/** Nobody should wait for news of a strategy that is not there. */
async function assertAllExist({ services }: Context, strategyIds: readonly string[]) {
  for (const strategyId of strategyIds) await services.strategies.get(strategyId);
}
