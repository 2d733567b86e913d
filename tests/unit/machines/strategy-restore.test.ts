import { isDeepStrictEqual } from "node:util";
import { createActor, createMachine, fromPromise, spawnChild, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { describe, expect, test } from "vitest";
import { seal, sealAt, unseal } from "#engine/strategy/envelope.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import { StrategyState } from "#domain/strategy.ts";
import {
  strategyMachine,
  type StrategyContext,
  type StrategyEvent,
} from "#machines/strategy.machine.ts";
import {
  allEvents,
  eventsByType,
  newContext,
  observedActor,
  revivedFrom,
  type ObservedActor,
} from "#support/strategy-situations.ts";
import { nameOf, transitionsOf } from "#support/transitions.ts";

interface Path {
  says: string;
  value: StrategyState;
  events: StrategyEvent[];
}

const paths = reachableStates();
const oneOfEach = Object.values(eventsByType)
  .map(([event]) => event)
  .filter((event) => event !== undefined);

test("every state of the machine is reached", () => {
  expect([...new Set(paths.map(({ value }) => value))].toSorted()).toEqual(
    Object.values(StrategyState).toSorted(),
  );
});

test("every transition of the machine is taken on these walks", () => {
  expect(transitionsTaken()).toEqual(transitionsOf(strategyMachine).toSorted());
});

test("every state listens to at least one event of the alphabet", () => {
  for (const path of paths) {
    const moves = allEvents.filter((event) => {
      const actor = walked(path);
      const before = JSON.stringify(actor.stand());
      actor.send(event);
      return JSON.stringify(actor.stand()) !== before;
    });
    expect(moves.length, path.says).toBeGreaterThan(0);
  }
});

describe("a strategy restored from its stored snapshot", () => {
  test.each(paths)("asks for nothing by itself: $says", (path) => {
    const restored = restoredFrom(walked(path));
    expect(restored.asked).toEqual([]);
    expect(restored.stand()).toEqual(walked(path).stand());
  });

  test.each(paths)("goes on the same from what XState itself persists: $says", (path) => {
    for (const event of allEvents) {
      const original = walked(path);
      const copy = revivedFrom(JSON.stringify(original.persisted()));
      sendBoth(original, copy, event);
    }
  });

  test.each(paths)("goes on as if it had never stopped: $says", (path) => {
    for (const first of allEvents) {
      for (const second of oneOfEach) {
        const original = walked(path);
        const interrupted = restoredFrom(original);
        sendBoth(original, interrupted, first);
        sendBoth(original, restoredFrom(interrupted), second);
      }
    }
  });

  test.each(paths)("has lost nothing to JSON: $says", (path) => {
    const { context } = walked(path).stand();
    expect(JSON.parse(JSON.stringify(context))).toStrictEqual(context);
    const persisted = walked(path).persisted();
    expect(JSON.parse(JSON.stringify(persisted))).toEqual(persisted);
  });

  test.each(paths)("is sealed to the same text again: $says", (path) => {
    const once = sealAt(walked(path).stand());
    expect(sealAt(open(once))).toEqual(once);
  });
});

test("what is stored after every event in every state is what XState persists of the actor then", () => {
  for (const path of paths) {
    for (const event of allEvents) {
      const actor = walked(path);
      const { value, context } = actor.stand();
      const [next] = transition(
        strategyMachine,
        strategyMachine.resolveState({ value, context }),
        event,
      );
      actor.send(event);
      const stored: unknown = JSON.parse(seal(next).snapshot);
      const persisted: unknown = JSON.parse(JSON.stringify(actor.persisted()));
      expect(stored, `${path.says}, then ${event.type}`).toEqual(persisted);
      expect(stored).toMatchObject({ value: actor.stand().value, context: actor.stand().context });
    }
  }
});

test("actor logic written inline is an error here, so that no machine can come to hold any", () => {
  const machine = createMachine({ entry: spawnChild(fromPromise(() => Promise.resolve())) });
  const actor = createActor(machine).start();
  expect(() => actor.getPersistedSnapshot()).toThrow("inline child actor");
});

function reachableStates(): Path[] {
  const found = getShortestPaths(strategyMachine, {
    input: newContext(),
    events: allEvents,
    // Cycles are counted up for ever: for the machine's answers the number makes no difference.
    serializeState: ({ value, context: { cycleIndex: _, ...context } }) =>
      JSON.stringify([value, context]),
  });
  return found.map(({ state, steps }) => {
    const events = steps.map(({ event }) => event).filter(isOurs);
    const trail = events.map(({ type }) => type).join(", ");
    return { says: `${state.value} after ${trail || "nothing"}`, value: state.value, events };
  });
}

/** State, event and place among that state's answers to it, of every step from every reachable state. */
function transitionsTaken(): string[] {
  const taken = new Set<string>();
  for (const path of paths) {
    for (const event of allEvents) {
      const { context, value } = walked(path).stand();
      const snapshot = strategyMachine.resolveState({ value, context });
      for (const one of strategyMachine.getTransitionData(snapshot, event)) {
        taken.add(nameOf(one));
      }
    }
  }
  return [...taken].toSorted();
}

function isOurs(event: { type: string }): event is StrategyEvent {
  return !event.type.startsWith("xstate.");
}

function walked(path: Path): ObservedActor {
  const actor = observedActor(newContext());
  for (const event of path.events) actor.send(event);
  actor.asked.length = 0;
  return actor;
}

function restoredFrom(original: ObservedActor): ObservedActor {
  const stored = JSON.stringify(sealAt(original.stand()));
  const opened = open(JSON.parse(stored) as SnapshotEnvelope);
  return observedActor(opened.context, opened);
}

function sendBoth(original: ObservedActor, restored: ObservedActor, event: StrategyEvent): void {
  original.asked.length = 0;
  original.send(event);
  restored.send(event);
  const [now, expected] = [restored, original].map((actor) => [actor.stand(), actor.asked]);
  if (!isDeepStrictEqual(now, expected)) expect(now, event.type).toEqual(expected);
}

function open(envelope: SnapshotEnvelope): { value: StrategyState; context: StrategyContext } {
  const opened = unseal(envelope);
  if (!opened.ok) throw new Error(`${opened.reason}: ${opened.detail}`);
  return opened;
}
