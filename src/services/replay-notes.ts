import type { Definition } from "#domain/definition.ts";
import type { Recording } from "#ports/market-feed.ts";
import type { Venue } from "#ports/trade-channel.ts";

/** What the templates that may be played trade, and where. */
export interface Played {
  definitions: readonly Pick<Definition, "isActive" | "name" | "symbols" | "tradeChannel">[];
  channels: readonly Pick<Venue, "name" | "marketType">[];
}

/** What an operator must know of a replay before it plays, one line each: nothing of it is an error. */
export function replayNotes(recordings: readonly Recording[], played: Played): string[] {
  const active = played.definitions.filter(({ isActive }) => isActive);
  const traded = new Set(active.flatMap(({ symbols }) => symbols));
  const perpetuals = new Set(
    played.channels.filter(({ marketType }) => marketType === "perpetual").map(({ name }) => name),
  );
  return recordings.flatMap((recording) => {
    const { symbol, knowsVolume, hasFunding } = recording;
    if (!traded.has(symbol)) {
      return [`${about(recording)} no template trades it (they trade ${[...traded].join(", ")})`];
    }
    const isPerpetual = active.some(
      ({ symbols, tradeChannel }) => symbols.includes(symbol) && perpetuals.has(tradeChannel),
    );
    return [
      ...(knowsVolume ? [] : [`${about(recording)} volume is not known, so it limits no fill`]),
      ...(hasFunding || !isPerpetual
        ? []
        : [`${about(recording)} no funding file beside it, so perpetuals replay without funding`]),
    ];
  });
}

const about = ({ symbol, files }: Recording): string => `${symbol} (${shortList(files)}):`;

/** Of many monthly files the first and the last say enough. */
function shortList(files: readonly string[]): string {
  const [first = "", last = ""] = [files[0], files.at(-1)];
  return files.length <= 2 ? files.join(", ") : `${first} … ${last}, ${files.length} files`;
}
