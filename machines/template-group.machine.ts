import { assign, setup } from "xstate";
import type { Tick } from "#domain/tick.ts";

export interface GroupContext {
  definitionId: string;
  /** The tick under way; null in `idle`. */
  tick: Tick | null;
  /** Shards fanned out to and not yet heard of. */
  outstanding: string[];
  /** Ticks that came while one was under way, since this node started. */
  skipped: number;
}

export type GroupEvent =
  | { type: "TICK_DUE"; tick: Tick }
  /** Tick, analysis and shard jobs are committed. */
  | { type: "FANNED_OUT"; shardIds: string[] }
  | { type: "ANALYSIS_FAILED" }
  | { type: "SHARD_SETTLED"; tickId: string; shardId: string }
  /** Closed in the database, by this node or another, complete or timed out. */
  | { type: "TICK_CLOSED"; tickId: string }
  | { type: "PAUSE" }
  | { type: "RESUME" };

/**
 * The supervisor of one definition: analyses once per tick, fans out, waits for the shards. It holds
 * ids only; strategies are actors of their own.
 */
export const templateGroupMachine = setup({
  types: {
    context: {} as GroupContext,
    input: {} as { definitionId: string },
    events: {} as GroupEvent,
  },
  actions: {
    takeTick: assign({
      tick: ({ context, event }) => (event.type === "TICK_DUE" ? event.tick : context.tick),
    }),
    takeShards: assign({
      outstanding: ({ context, event }) =>
        event.type === "FANNED_OUT" ? event.shardIds : context.outstanding,
    }),
    dropShard: assign({
      outstanding: ({ context, event }) =>
        event.type === "SHARD_SETTLED"
          ? context.outstanding.filter((id) => id !== event.shardId)
          : context.outstanding,
    }),
    countSkipped: assign({ skipped: ({ context }) => context.skipped + 1 }),
    forgetTick: assign({ tick: null, outstanding: [] }),
  },
  guards: {
    isOwnTick: ({ context, event }) =>
      (event.type === "SHARD_SETTLED" || event.type === "TICK_CLOSED") &&
      context.tick?.id === event.tickId,
  },
}).createMachine({
  id: "template-group",
  context: ({ input }) => ({
    definitionId: input.definitionId,
    tick: null,
    outstanding: [],
    skipped: 0,
  }),
  initial: "idle",
  states: {
    idle: {
      entry: "forgetTick",
      on: {
        TICK_DUE: { target: "analysing", actions: "takeTick" },
        PAUSE: "paused",
      },
    },
    analysing: {
      on: {
        FANNED_OUT: { target: "fanningOut", actions: "takeShards" },
        ANALYSIS_FAILED: "idle",
        // Never queued up behind the tick under way.
        TICK_DUE: { actions: "countSkipped" },
      },
    },
    fanningOut: {
      on: {
        SHARD_SETTLED: [{ guard: "isOwnTick", actions: "dropShard" }],
        TICK_CLOSED: { guard: "isOwnTick", target: "idle" },
        // The database admits one open tick per definition: a new one means the old is closed.
        TICK_DUE: { target: "analysing", actions: "takeTick", reenter: true },
      },
    },
    paused: {
      on: {
        RESUME: "idle",
        // Proposed before the pause: it is finished, and none is proposed after it.
        TICK_DUE: { target: "analysing", actions: "takeTick" },
      },
    },
  },
});
