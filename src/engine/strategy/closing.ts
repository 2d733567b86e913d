import { DomainError, errorMessage } from "#domain/errors.ts";
import type { Ledger } from "#domain/portfolio.ts";
import { observeForExit, unseen } from "#engine/observation.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import { openCycle, type CycleError, type OpenCycle } from "./cycle.ts";
import type { EffectDependencies } from "./effects.ts";
import type { StrategyTurn } from "./turn.ts";

/**
 * The cycle that is to close what is held, at prices of now. `error`: they cannot be read, and without a
 * price there is no order (I11). `refusal`: not even a cycle can be opened. Never rejects; of a
 * message that is no longer this node's the turn's host hears by its signal.
 */
export async function openClosing(
  context: StrategyContext,
  turn: StrategyTurn,
  dependencies: EffectDependencies,
): Promise<{ cycle: OpenCycle; error: CycleError | null } | { refusal: string }> {
  const { channels, clock, timer } = dependencies;
  const { definition, resident, signal } = turn;
  const at = clock.now();
  const symbols = Object.keys(context.ledger.positions);
  const look = { symbols, at, since: context.lastTickFor ?? at };
  const { market, error } = await observeForExit(look, dependencies, signal).then(
    (seen) => ({ market: seen, error: null }),
    (cause: unknown) => ({ market: unseen(at), error: unreadable(cause) }),
  );
  try {
    const cycle = openCycle({
      context,
      definition,
      channel: channels.get(definition.tradeChannel),
      tick: null,
      cause: "stop",
      market,
      paramsVersion: resident.member.paramsVersion,
      startedAt: timer.elapsed(),
    });
    return { cycle, error };
  } catch (cause) {
    const message = `cannot close: ${errorMessage(cause)}; still open: ${heldOf(context.ledger)}`;
    return { refusal: message };
  }
}

function heldOf({ positions }: Ledger): string {
  const held = Object.values(positions);
  return held.map(({ quantity, symbol }) => `${quantity} ${symbol}`).join(", ");
}

function unreadable(cause: unknown): CycleError {
  const code = cause instanceof DomainError ? cause.code : "PORT_UNAVAILABLE";
  return { code, message: `prices cannot be read: ${errorMessage(cause)}` };
}
