import type { Definition } from "#domain/definition.ts";
import { DomainError, errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import type { StopRequest } from "#machines/strategy.machine.ts";
import { openCycle, type CycleError, type CycleFrame } from "./cycle.ts";
import type { ShardDependencies } from "#engine/dependencies.ts";
import { observeForExit } from "#engine/observation.ts";
import type { Resident } from "./resident.ts";

/** A stop about to be carried out. */
export interface Stopping {
  request: StopRequest;
  definition: Definition;
  /** Aborts when the message is no longer this node's, or the node is closing. */
  signal: AbortSignal;
}

/** Why the positions cannot be closed, with what stays open. */
export class CannotClose extends Error {
  constructor(resident: Resident, cause: unknown) {
    const held = Object.values(resident.context.ledger.positions);
    const open = held.map(({ quantity, symbol }) => `${quantity} ${symbol}`).join(", ");
    super(`cannot close: ${errorMessage(cause)}; still open: ${open}`, { cause });
  }
}

/**
 * The cycle that is to close what `resident` holds, at prices of now. `error`: they cannot be read,
 * and without a price there is no order (I11).
 * @throws CannotClose; the reason of an abort
 */
export async function openClosing(
  resident: Resident,
  { definition, request, signal }: Stopping,
  dependencies: ShardDependencies,
): Promise<{ frame: CycleFrame; error: CycleError | null }> {
  const { context, member } = resident;
  const at = dependencies.clock.now();
  const symbols = Object.keys(context.ledger.positions);
  const look = { symbols, at, since: context.lastTickFor ?? at };
  const unseen: MarketSnapshot = { at, quotes: {}, funding: [], facts: {} };
  const { market, error } = await observeForExit(look, dependencies, signal).then(
    (seen) => ({ market: seen, error: null }),
    (cause: unknown) => ({ market: unseen, error: unreadable(cause) }),
  );
  signal.throwIfAborted();
  try {
    const frame = openCycle({
      context: { ...context, stop: request },
      definition,
      channel: dependencies.channels.get(definition.tradeChannel),
      tick: null,
      cause: "stop",
      market,
      paramsVersion: member.paramsVersion,
      startedAt: dependencies.timer.elapsed(),
    });
    return { frame, error };
  } catch (cause) {
    throw new CannotClose(resident, cause);
  }
}

function unreadable(cause: unknown): CycleError {
  const code = cause instanceof DomainError ? cause.code : "PORT_UNAVAILABLE";
  return { code, message: `prices cannot be read: ${errorMessage(cause)}` };
}
