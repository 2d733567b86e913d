import { DomainError } from "#domain/errors.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import { createPaperChannel } from "./paper-channel.ts";
import { PAPER_PROFILES } from "./paper-profiles.ts";

export interface ChannelRegistry {
  /** @throws DomainError UNKNOWN_CHANNEL naming the known ones. */
  get(name: string): TradeChannel;
  /** By name, ascending. */
  list(): TradeChannel[];
}

/** Knows every channel a definition may name. */
export function createChannelRegistry(
  channels: readonly TradeChannel[] = PAPER_PROFILES.map(createPaperChannel),
): ChannelRegistry {
  const byName = new Map(channels.map((channel) => [channel.name, channel]));
  const names = [...byName.keys()].toSorted();
  return {
    get: (name) => {
      const channel = byName.get(name);
      if (channel !== undefined) return channel;
      const message = `expected one of the channels ${names.join(", ")}, was ${name}`;
      throw new DomainError("UNKNOWN_CHANNEL", message, { details: { name, known: names } });
    },
    list: () => names.flatMap((name) => byName.get(name) ?? []),
  };
}
