import { fromPromise } from "xstate";
import { DomainError, errorMessage } from "#domain/errors.ts";
import type { Tick, TickStatus } from "#domain/tick.ts";
import {
  templateGroupMachineOf,
  type AnalysedOrder,
  type AnalysedTick,
  type FailedOrder,
  type ShardFailed,
  type StrategyFailed,
  type TickOrder,
} from "#machines/template-group.machine.ts";
import type { NewAlert } from "#ports/store.ts";
import type { Claim } from "#ports/work-queue.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";
import type { ShardRunner } from "#engine/shard/shard-runner.ts";
import { withinTime } from "#engine/time-limit.ts";
import { analyseTick } from "./analyse-tick.ts";
import type { Chores } from "./chores.ts";
import type { TickInputs } from "./tick-inputs.ts";

/** A message of the queue, and the promise its handler waits for. */
export interface TickDelivery {
  claim: Claim;
  answer: PromiseWithResolvers<void>;
}

/** What the groups of a node share. */
export interface GroupDependencies extends EngineDependencies {
  inputs: TickInputs;
  shards: Pick<ShardRunner, "evict">;
  /** A tick is no longer open: the next may be proposed. */
  onTickOver: () => void;
}

type Order = TickOrder<TickDelivery>;

export type GroupMachine = ReturnType<typeof createGroupMachine>;

/** The supervisor's machine with its effects; `chores` are those that it does not wait for. */
export function createGroupMachine(dependencies: GroupDependencies, chores: Chores) {
  return templateGroupMachineOf<TickDelivery>().provide({
    actors: {
      analysis: fromPromise<AnalysedTick, Order>(({ input }) => analyse(input, dependencies)),
      fanOut: fromPromise<readonly string[], AnalysedOrder<TickDelivery>>(({ input }) =>
        fanOut(input, dependencies),
      ),
      failure: fromPromise<void, FailedOrder<TickDelivery>>(({ input }) =>
        failTick(input, dependencies),
      ),
      closing: fromPromise<TickStatus | null, Tick>(({ input }) => close(input, dependencies)),
    },
    actions: {
      answerDone: (_, { delivery }) => delivery.answer.resolve(),
      answerFailed: (_, { delivery, error }) => delivery.answer.reject(error),
      announceTickOver: () => dependencies.onTickOver(),
      giveUpAnalysis: (_, tick) =>
        chores.begin("giving up a tick", () => giveUp(tick, dependencies)),
      stopStrategy: (_, failure) =>
        chores.begin("stopping a failing strategy", () => stopStrategy(failure, dependencies)),
      handBackShard: ({ context }, failure) =>
        chores.begin("handing a failing shard back", () =>
          handBack({ ...failure, definitionId: context.definitionId }, dependencies),
        ),
    },
  });
}

/** Crash window: nothing is stored yet, the message comes again. */
async function analyse(
  { delivery, ...order }: Order,
  dependencies: GroupDependencies,
): Promise<AnalysedTick> {
  dependencies.failpoint("tick.before-analysis");
  const { signal } = delivery.claim;
  return withinTime(analyseTick(order, dependencies), { signal });
}

/**
 * Commits market, analysis and shard messages with the completion of the tick's own message. Crash
 * window: after it, the stored analysis is what everybody uses.
 */
async function fanOut(
  { analysed, definition, delivery, tick }: AnalysedOrder<TickDelivery>,
  { failpoint, inputs, queue, settings, store }: GroupDependencies,
): Promise<string[]> {
  failpoint("tick.analysed");
  const { input, outputs, analysisMs } = analysed;
  const shardIds = await store.commitAnalysis({
    claim: delivery.claim,
    tick,
    definition,
    market: input.market,
    outputs,
    analysisMs,
    deadlineMs: settings.tickDeadlineMs,
  });
  inputs.keep(input);
  failpoint("tick.after-commit");
  if (shardIds.length > 0) queue.wake("shards");
  return shardIds;
}

async function failTick(
  { definition, delivery, error, tick }: FailedOrder<TickDelivery>,
  { logger, store }: GroupDependencies,
): Promise<void> {
  const code = error instanceof DomainError ? error.code : "INVARIANT";
  const message = errorMessage(error);
  logger.error({ definition: definition.name, tickId: tick.id, code }, message);
  await store.failTick(delivery.claim, tick.id, { code, message });
  await store.raiseAlert(tickAlert("tick_failed", tick, { message, code }));
}

/** Closes the tick if its shards have settled or its deadline is past; says how it stands. */
async function close(tick: Tick, dependencies: GroupDependencies): Promise<TickStatus | null> {
  const { failpoint, logger, store, watch } = dependencies;
  if (watch.outage !== null) return tick.status;
  try {
    failpoint("tick.before-close");
    const status = await store.closeTick(tick.id);
    failpoint("tick.after-close");
    if (status === "timed_out") {
      logger.error({ tickId: tick.id }, "tick closed at its deadline");
      const message = "a tick was closed at its deadline; some strategies have no cycle for it";
      await store.raiseAlert(tickAlert("tick_timed_out", tick, { message }));
    }
    return status;
  } catch (error) {
    if (!watch.blames(error)) {
      logger.warn({ tickId: tick.id, error: errorMessage(error) }, "not closed, trying again");
    }
    throw error;
  }
}

async function giveUp(tick: Tick, dependencies: GroupDependencies): Promise<void> {
  const { logger, onTickOver, settings, store } = dependencies;
  if (!(await store.giveUpAnalysis(tick.id, settings.tickDeadlineMs))) return;
  const message = "a tick was given up: it could not be analysed in time";
  logger.error({ tickId: tick.id }, message);
  await store.raiseAlert(tickAlert("tick_failed", tick, { message }));
  onTickOver();
}

/** Durable and in the order of the shard's messages, like a stop of its owner's. */
async function stopStrategy(
  { error, strategyId }: StrategyFailed,
  { queue, store }: GroupDependencies,
): Promise<void> {
  await store.stopFailing(strategyId, `its actor failed too often: ${error}`);
  queue.wake("shards");
}

/** The shard's message is back in the queue for any node; here nothing is left of its actors. */
async function handBack(
  { definitionId, error, shardId }: ShardFailed & { definitionId: string },
  { logger, shards, store }: GroupDependencies,
): Promise<void> {
  shards.evict(shardId);
  const message =
    "a shard failed too often: its strategies wait until one of its messages succeeds";
  logger.error({ shardId, error }, message);
  await store.raiseAlert({
    kind: "shard_failing",
    severity: "error",
    subject: shardId,
    strategyId: null,
    message,
    detail: { definitionId, error },
  });
}

/** Repeated ones of a definition count up one alert. */
function tickAlert(
  kind: "tick_timed_out" | "tick_failed",
  { definitionId, id: tickId }: Tick,
  { message, ...detail }: { message: string; code?: string },
): NewAlert {
  return {
    kind,
    severity: "error",
    subject: definitionId,
    strategyId: null,
    message,
    detail: { definitionId, tickId, ...detail },
  };
}
