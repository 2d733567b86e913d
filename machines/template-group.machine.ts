import { assign, fromPromise, setup, type ErrorActorEvent } from "xstate";
import type { AgentOutput } from "#domain/analysis.ts";
import type { Definition } from "#domain/definition.ts";
import { DomainError, FencedError, InvariantError, type ErrorCode } from "#domain/errors.ts";
import { hasRestartsLeft, withRestart } from "#domain/restart-budget.ts";
import type { Tick, TickInput, TickStatus } from "#domain/tick.ts";

/** A due tick as the queue handed it over; whoever delivered it waits for an answer. */
export interface TickOrder<Delivery> {
  tick: Tick;
  definition: Definition;
  delivery: Delivery;
}

/** What all strategies of the definition decide on, and how it came about. */
export interface AnalysedTick {
  input: TickInput;
  outputs: AgentOutput[];
  analysisMs: number;
}

/** An order that ends without its work. */
export interface FailedOrder<Delivery> extends TickOrder<Delivery> {
  error: unknown;
}

export interface AnalysedOrder<Delivery> extends TickOrder<Delivery> {
  analysed: AnalysedTick;
}

/** When what failed was restored, in milliseconds of a monotonic scale: by shard, then by strategy. */
export interface Restarts {
  strategies: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  shards: Readonly<Record<string, readonly number[]>>;
}

export interface GroupContext<Delivery> {
  definitionId: string;
  /** The tick under way; null in `idle` and `paused`. */
  tick: Tick | null;
  /** The same as it was delivered, until the delivery is answered. */
  order: TickOrder<Delivery> | null;
  /** Until it is committed. */
  analysed: AnalysedTick | null;
  /** Why the tick cannot be analysed, while that is stored. */
  error: unknown;
  /** Shards fanned out to and not yet heard of. */
  outstanding: readonly string[];
  /** Ticks that this node proposed while one was under way, since it started. */
  skipped: number;
  isPaused: boolean;
  restarts: Restarts;
}

export interface StrategyFailed {
  type: "STRATEGY_FAILED";
  strategyId: string;
  shardId: string;
  error: string;
  elapsedMs: number;
}

export interface ShardFailed {
  type: "SHARD_FAILED";
  shardId: string;
  error: string;
  elapsedMs: number;
}

export type GroupEvent<Delivery> =
  | ({ type: "TICK_DUE" } & TickOrder<Delivery>)
  /** Proposed while one was open, and stored as skipped. */
  | { type: "TICK_SKIPPED" }
  /** The database holds it as pending or running; somebody has to see to its end. */
  | { type: "TICK_OPEN"; tick: Tick }
  /** Closed in the database by another node. */
  | { type: "TICK_CLOSED"; tickId: string }
  | { type: "SHARD_SETTLED"; tickId: string; shardId: string }
  | StrategyFailed
  | ShardFailed
  | { type: "PAUSE" }
  | { type: "RESUME" };

/**
 * The supervisor of one definition on one node: analyses a due tick once, fans it out, closes it when
 * its shards have settled, and decides what becomes of strategies and shards that fail. Its effects
 * are the actors and actions that the engine provides. It is never stored: what it must not forget
 * is in the database, so a node that starts anew has the same supervisor after its first sweep.
 * `Delivery` is what the engine answers a queue message with; the machine only hands it on.
 */
export function templateGroupMachineOf<Delivery>() {
  return setup({
    types: {
      context: {} as GroupContext<Delivery>,
      input: {} as { definitionId: string },
      events: {} as GroupEvent<Delivery>,
    },
    actors: {
      /** Runs every agent once. */
      analysis: fromPromise<AnalysedTick, TickOrder<Delivery>>(notProvided),
      /** Commits the analysis with one message per shard; answers with the shards. */
      fanOut: fromPromise<readonly string[], AnalysedOrder<Delivery>>(notProvided),
      /** Marks a tick failed that no retry can mend. */
      failure: fromPromise<void, FailedOrder<Delivery>>(notProvided),
      /** Closes the tick in the database if it is over; answers with its status there. */
      closing: fromPromise<TickStatus | null, Tick>(notProvided),
    },
    actions: {
      answerDone: (_, _order: TickOrder<Delivery>) => undefined,
      answerFailed: (_, _failed: FailedOrder<Delivery>) => undefined,
      /** A tick is no longer open: the next may be proposed. */
      announceTickOver: () => undefined,
      /** Marks a tick failed that is pending for too long. */
      giveUpAnalysis: (_, _tick: Tick) => undefined,
      stopStrategy: (_, _failure: StrategyFailed) => undefined,
      handBackShard: (_, _failure: ShardFailed) => undefined,
      takeTick: assign({
        tick: ({ context, event }) => (event.type === "TICK_DUE" ? event.tick : context.tick),
        order: ({ context, event }) => (event.type === "TICK_DUE" ? orderOf(event) : context.order),
        analysed: null,
        error: null,
        outstanding: [],
      }),
      takeAnalysis: assign({ analysed: (_, analysed: AnalysedTick) => analysed }),
      takeError: assign({ error: (_, error: unknown) => error }),
      takeShards: assign({ outstanding: (_, shardIds: readonly string[]) => shardIds }),
      // Fanned out by another node, or by this one before it started anew: its shards are not known.
      takeOpenTick: assign(({ context, event }) =>
        event.type !== "TICK_OPEN" || event.tick.id === context.tick?.id
          ? {}
          : { tick: event.tick, outstanding: [] },
      ),
      dropShard: assign({
        outstanding: ({ context, event }) =>
          event.type === "SHARD_SETTLED"
            ? context.outstanding.filter((id) => id !== event.shardId)
            : context.outstanding,
      }),
      countSkipped: assign({ skipped: ({ context }) => context.skipped + 1 }),
      countRestart: assign({
        restarts: ({ context, event }) =>
          event.type === "STRATEGY_FAILED" || event.type === "SHARD_FAILED"
            ? countedRestart(context.restarts, event)
            : context.restarts,
      }),
      rememberPause: assign({ isPaused: true }),
      forgetPause: assign({ isPaused: false }),
      forgetOrder: assign({ order: null, analysed: null }),
      forgetTick: assign({
        tick: null,
        order: null,
        analysed: null,
        error: null,
        outstanding: [],
      }),
    },
    guards: {
      isPaused: ({ context }) => context.isPaused,
      isToRun: ({ context }) => !context.isPaused,
      /** Errors that a retry cannot mend: the definition names something that is not there. */
      isHopeless: (_, error: unknown) => error instanceof DomainError && HOPELESS.has(error.code),
      hasShards: (_, shardIds: readonly string[]) => shardIds.length > 0,
      isOver: (_, status: TickStatus | null) => status !== "pending" && status !== "running",
      isOwnTick: ({ context, event }) =>
        (event.type === "SHARD_SETTLED" || event.type === "TICK_CLOSED") &&
        context.tick?.id === event.tickId,
      isLastShard: ({ context, event }) =>
        event.type === "SHARD_SETTLED" &&
        context.tick?.id === event.tickId &&
        context.outstanding.length === 1 &&
        context.outstanding.includes(event.shardId),
      isFannedOut: ({ event }) => event.type === "TICK_OPEN" && event.tick.status === "running",
      isPending: ({ event }) => event.type === "TICK_OPEN" && event.tick.status === "pending",
      hasRestartsLeft: ({ context, event }) =>
        (event.type === "STRATEGY_FAILED" || event.type === "SHARD_FAILED") &&
        hasRestartsLeft(restartsOf(context.restarts, event), event.elapsedMs),
    },
  }).createMachine({
    id: "template-group",
    context: ({ input }) => ({
      definitionId: input.definitionId,
      tick: null,
      order: null,
      analysed: null,
      error: null,
      outstanding: [],
      skipped: 0,
      isPaused: false,
      restarts: { strategies: {}, shards: {} },
    }),
    initial: "idle",
    on: {
      TICK_SKIPPED: { actions: "countSkipped" },
      // Whatever this node is doing with it: the deadline is the database's.
      TICK_OPEN: {
        guard: "isPending",
        actions: { type: "giveUpAnalysis", params: ({ event }) => event.tick },
      },
      STRATEGY_FAILED: [
        { guard: "hasRestartsLeft", actions: "countRestart" },
        {
          actions: {
            type: "stopStrategy",
            params: ({ event }) => event,
          },
        },
      ],
      SHARD_FAILED: [
        { guard: "hasRestartsLeft", actions: "countRestart" },
        {
          actions: { type: "handBackShard", params: ({ event }) => event },
        },
      ],
      // A tick under way ends first.
      PAUSE: { actions: "rememberPause" },
      RESUME: { actions: "forgetPause" },
    },
    states: {
      idle: {
        entry: "forgetTick",
        always: { guard: "isPaused", target: "paused" },
        on: {
          TICK_DUE: { target: "analysing", actions: "takeTick" },
          TICK_OPEN: {
            guard: "isFannedOut",
            target: "fanningOut.closing",
            actions: "takeOpenTick",
          },
        },
      },
      analysing: {
        initial: "running",
        on: {
          // The queue delivers one message of a definition at a time: the older one is lost to it.
          TICK_DUE: {
            target: "analysing",
            reenter: true,
            actions: [
              { type: "answerFailed", params: ({ context }) => superseded(context) },
              "takeTick",
            ],
          },
        },
        states: {
          running: {
            invoke: {
              src: "analysis",
              input: ({ context }) => delivered(context),
              onDone: {
                target: "#template-group.fanningOut",
                actions: { type: "takeAnalysis", params: ({ event }) => event.output },
              },
              onError: [
                {
                  guard: { type: "isHopeless", params: errorOf },
                  target: "failing",
                  actions: { type: "takeError", params: errorOf },
                },
                {
                  target: "#template-group.idle",
                  actions: {
                    type: "answerFailed",
                    params: ({ context, event }) => ({ ...delivered(context), error: event.error }),
                  },
                },
              ],
            },
          },
          failing: {
            invoke: {
              src: "failure",
              input: ({ context }) => ({ ...delivered(context), error: context.error }),
              onDone: {
                target: "#template-group.idle",
                actions: [
                  { type: "answerDone", params: ({ context }) => delivered(context) },
                  "announceTickOver",
                ],
              },
              onError: {
                target: "#template-group.idle",
                actions: {
                  type: "answerFailed",
                  params: ({ context, event }) => ({ ...delivered(context), error: event.error }),
                },
              },
            },
          },
        },
      },
      fanningOut: {
        initial: "committing",
        on: {
          // The database admits one open tick per definition: a new one means the old is closed.
          TICK_DUE: { target: "analysing", actions: "takeTick" },
          SHARD_SETTLED: { guard: "isOwnTick", actions: "dropShard" },
        },
        states: {
          committing: {
            invoke: {
              src: "fanOut",
              input: ({ context }) => ({ ...delivered(context), analysed: analysedIn(context) }),
              onDone: [
                {
                  guard: { type: "hasShards", params: ({ event }) => event.output },
                  target: "collecting",
                  actions: [
                    { type: "takeShards", params: ({ event }) => event.output },
                    { type: "answerDone", params: ({ context }) => delivered(context) },
                    "forgetOrder",
                  ],
                },
                {
                  target: "#template-group.idle",
                  actions: [
                    { type: "answerDone", params: ({ context }) => delivered(context) },
                    "announceTickOver",
                  ],
                },
              ],
              onError: {
                target: "#template-group.idle",
                actions: {
                  type: "answerFailed",
                  params: ({ context, event }) => ({ ...delivered(context), error: event.error }),
                },
              },
            },
            on: {
              TICK_DUE: {
                target: "#template-group.analysing",
                actions: [
                  { type: "answerFailed", params: ({ context }) => superseded(context) },
                  "takeTick",
                ],
              },
            },
          },
          collecting: {
            on: {
              SHARD_SETTLED: { guard: "isLastShard", target: "closing", actions: "dropShard" },
              TICK_OPEN: { guard: "isFannedOut", target: "closing", actions: "takeOpenTick" },
              TICK_CLOSED: {
                guard: "isOwnTick",
                target: "#template-group.idle",
                actions: "announceTickOver",
              },
            },
          },
          closing: {
            invoke: {
              src: "closing",
              input: ({ context }) => tickIn(context),
              onDone: [
                {
                  guard: { type: "isOver", params: ({ event }) => event.output },
                  target: "#template-group.idle",
                  actions: "announceTickOver",
                },
                { target: "collecting" },
              ],
              // Looked at again at the next sweep.
              onError: "collecting",
            },
          },
        },
      },
      paused: {
        always: { guard: "isToRun", target: "idle" },
        on: {
          // Proposed before the pause: it is finished, and none is proposed after it.
          TICK_DUE: { target: "analysing", actions: "takeTick" },
          TICK_OPEN: {
            guard: "isFannedOut",
            target: "fanningOut.closing",
            actions: "takeOpenTick",
          },
        },
      },
    },
  });
}

const HOPELESS: ReadonlySet<ErrorCode> = new Set([
  "UNKNOWN_AGENT",
  "UNKNOWN_DECISION_AGENT",
  "UNKNOWN_CHANNEL",
]);

function notProvided(): Promise<never> {
  return Promise.reject(new InvariantError("the effects of a group are provided by the engine"));
}

function errorOf({ event }: { event: ErrorActorEvent }): unknown {
  return event.error;
}

function orderOf<Delivery>({ tick, definition, delivery }: TickOrder<Delivery>) {
  return { tick, definition, delivery };
}

function delivered<Delivery>({ order }: GroupContext<Delivery>): TickOrder<Delivery> {
  if (order === null) throw new InvariantError("a group works on no order");
  return order;
}

function superseded<Delivery>(context: GroupContext<Delivery>): FailedOrder<Delivery> {
  const order = delivered(context);
  const message = `tick ${order.tick.id} was delivered again, to this node or for a later tick`;
  return { ...order, error: new FencedError(message) };
}

function analysedIn<Delivery>({ analysed }: GroupContext<Delivery>): AnalysedTick {
  if (analysed === null) throw new InvariantError("a group fans out without an analysis");
  return analysed;
}

function tickIn<Delivery>({ tick }: GroupContext<Delivery>): Tick {
  if (tick === null) throw new InvariantError("a group closes no tick");
  return tick;
}

function restartsOf(restarts: Restarts, failure: StrategyFailed | ShardFailed): readonly number[] {
  const { shardId } = failure;
  return failure.type === "SHARD_FAILED"
    ? (restarts.shards[shardId] ?? [])
    : (restarts.strategies[shardId]?.[failure.strategyId] ?? []);
}

// By shard first: where thousands fail at once, each failure copies its own shard's counts only.
function countedRestart(restarts: Restarts, failure: StrategyFailed | ShardFailed): Restarts {
  const { strategies, shards } = restarts;
  const { elapsedMs, shardId } = failure;
  const counted = withRestart(restartsOf(restarts, failure), elapsedMs);
  if (failure.type === "SHARD_FAILED") {
    return { strategies, shards: { ...shards, [shardId]: counted } };
  }
  const siblings = { ...strategies[shardId], [failure.strategyId]: counted };
  return { strategies: { ...strategies, [shardId]: siblings }, shards };
}
