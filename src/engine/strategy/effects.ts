// What the strategy machine's named actions do. Each gets all it needs as its params and leaves what is to be
// committed with the turn it was given; nothing here is remembered.
import { errorMessage, InvariantError } from "#domain/errors.ts";
import type { ShardDependencies } from "#engine/dependencies.ts";
import { unseen } from "#engine/observation.ts";
import { withinTime } from "#engine/time-limit.ts";
import { strategyMachine, type Turn } from "#machines/strategy.machine.ts";
import { openClosing } from "./closing.ts";
import {
  decideCycle,
  executeClosing,
  failCycle,
  finishCycle,
  openCycle,
  skipCycle,
  toCycleError,
  type CycleOutcome,
  type OpenCycle,
  type Verdict,
} from "./cycle.ts";
import { bookReports } from "./order-reports.ts";
import type { StrategyMachine } from "./resident.ts";
import { StrategyTurn } from "./turn.ts";

export type EffectDependencies = Pick<
  ShardDependencies,
  "channels" | "clock" | "decisions" | "failpoint" | "observe" | "orders" | "settings" | "timer"
>;

/** The strategy machine with its effects: one, shared by all actors of a thread. */
export function machineWithEffects(dependencies: EffectDependencies): StrategyMachine {
  const { channels, clock, decisions, failpoint, orders, settings, timer } = dependencies;

  const open = (
    turn: StrategyTurn,
    about: Pick<OpenCycle, "cause" | "context" | "market" | "paramsVersion" | "tick">,
  ): OpenCycle | null => {
    try {
      const { definition } = turn;
      const channel = channels.get(definition.tradeChannel);
      const startedAt = timer.elapsed();
      turn.cycle = openCycle({ ...about, definition, channel, startedAt });
      return turn.cycle;
    } catch (error) {
      // Its money cannot even be valued: it stops alone, its siblings go on (I6).
      turn.fail(`cannot open a cycle: ${errorMessage(error)}`);
      return null;
    }
  };

  const record = (turn: StrategyTurn, outcome: CycleOutcome): void => {
    const startedAt = turn.cycle?.startedAt ?? timer.elapsed();
    outcome.cycle.durationMs = Math.round(timer.elapsed() - startedAt);
    turn.record(outcome);
  };

  /** At once where it can be; the turn waits for what a channel takes its time over. */
  const recordWhenDone = (
    turn: StrategyTurn,
    outcome: CycleOutcome | Promise<CycleOutcome>,
  ): void => {
    if (outcome instanceof Promise) turn.waitFor(outcome, (done) => record(turn, done));
    else record(turn, outcome);
  };

  const finish = (turn: StrategyTurn, verdict: Verdict): void => {
    if (turn.cycle === null) throw new InvariantError("a decision without a cycle");
    recordWhenDone(turn, finishCycle(turn.cycle, verdict));
  };

  const inTime = (verdict: Promise<Verdict>): Promise<Verdict> => {
    const ms = settings.decisionTimeoutMs;
    const message = `no decision within ${ms} ms`;
    const expired = (): Verdict => ({ error: { code: "PORT_TIMEOUT", message } });
    return withinTime(verdict, { ms, timer, expired });
  };

  return strategyMachine.provide({
    actions: {
      decide: ({ self }, { context, params, paramsVersion, tick: input, turn }) => {
        const own = turnOf(turn);
        const { analysis, market, tick } = input;
        const cycle = open(own, { cause: "tick", context, market, paramsVersion, tick });
        if (cycle === null) return;
        const answer = (verdict: Verdict): void => {
          if ("error" in verdict) {
            self.send({ type: "DECISION_FAILED", error: verdict.error, turn });
            return;
          }
          failpoint("decision.after");
          self.send({ type: "DECIDED", decision: verdict.decision, turn });
        };
        if (params.ok) failpoint("decision.before");
        const agent = decisions.get(own.definition.decisionAgent);
        const verdict = decideCycle(cycle, agent, { analysis, params });
        if (verdict instanceof Promise) own.waitFor(inTime(verdict), answer);
        else answer(verdict);
      },
      execute: (_, { decision, turn }) => finish(turnOf(turn), { decision }),
      fail: (_, { error, turn }) => finish(turnOf(turn), { error }),
      close: (_, { context, turn }) => {
        const own = turnOf(turn);
        own.waitFor(openClosing(context, own, dependencies), (opened) => {
          if ("refusal" in opened) {
            own.fail(opened.refusal, "error_closing_positions");
            return;
          }
          const { cycle, error } = opened;
          own.cycle = cycle;
          if (error !== null) record(own, failCycle(cycle, error));
          else recordWhenDone(own, closeCycle(cycle));
        });
      },
      skip: (_, { context, paramsVersion, tick: { market, tick }, turn }) => {
        const own = turnOf(turn);
        const cycle = open(own, { cause: "tick", context, market, paramsVersion, tick });
        if (cycle !== null) recordWhenDone(own, skipCycle(cycle));
      },
      book: (_, { context, reports, turn }) => {
        const own = turnOf(turn);
        const { paramsVersion } = own.resident.member;
        const market = unseen(clock.now());
        const cycle = open(own, { cause: "order", context, market, paramsVersion, tick: null });
        const outcome = cycle === null ? null : bookReports(cycle, reports);
        if (outcome !== null) record(own, outcome);
      },
      placeOrders: (_, { orders: intended, turn }) => orders.place(ownerOf(turn), intended),
      cancelOrders: (_, { orders: unwanted, turn }) => orders.cancel(ownerOf(turn), unwanted),
      findOrders: (_, { orders: pending, turn }) => orders.find(ownerOf(turn), pending),
    },
  });
}

/** A close that fails is recorded as such, like any other cycle. */
function closeCycle(cycle: OpenCycle): CycleOutcome | Promise<CycleOutcome> {
  const failure = (error: unknown): CycleOutcome => failCycle(cycle, toCycleError(error));
  try {
    const outcome = executeClosing(cycle);
    return outcome instanceof Promise ? outcome.catch(failure) : outcome;
  } catch (error) {
    return failure(error);
  }
}

function turnOf(turn: Turn): StrategyTurn {
  if (turn instanceof StrategyTurn) return turn;
  throw new InvariantError("a turn that no shard host has begun");
}

function ownerOf(turn: Turn) {
  const { definition, shardId, strategyId } = turnOf(turn);
  return { channel: definition.tradeChannel, shardId, strategyId };
}
