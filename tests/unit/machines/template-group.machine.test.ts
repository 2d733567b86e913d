import { createActor } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { describe, expect, test } from "vitest";
import type { Tick } from "#domain/tick.ts";
import {
  templateGroupMachine,
  type GroupContext,
  type GroupEvent,
} from "#machines/template-group.machine.ts";
import { nameOf, transitionsOf } from "#support/transitions.ts";

const input = { definitionId: "definition-1" };
const first = tick("tick-1", 1);
const second = tick("tick-2", 2);

describe("an idle group", () => {
  test("knows no tick and waits for no shard", () => {
    expect(stand(group())).toEqual({
      value: "idle",
      context: { definitionId: "definition-1", tick: null, outstanding: [], skipped: 0 },
    });
  });

  test("analyses the tick that is due", () => {
    const { value, context } = after(due(first));
    expect(value).toBe("analysing");
    expect(context.tick).toEqual(first);
  });

  test("can be paused", () => {
    expect(after({ type: "PAUSE" }).value).toBe("paused");
  });
});

describe("an analysing group", () => {
  test("fans out to the shards it is told", () => {
    const { value, context } = after(due(first), fannedOut("a", "b"));
    expect(value).toBe("fanningOut");
    expect(context.outstanding).toEqual(["a", "b"]);
  });

  test("is idle again when its analysis failed", () => {
    const { value, context } = after(due(first), { type: "ANALYSIS_FAILED" });
    expect(value).toBe("idle");
    expect(context.tick).toBeNull();
  });

  test("skips a tick that comes meanwhile, and never queues it up", () => {
    const { value, context } = after(due(first), due(second));
    expect(value).toBe("analysing");
    expect(context.tick).toEqual(first);
    expect(context.skipped).toBe(1);
  });
});

describe("a group that has fanned out", () => {
  test("ticks off the shards that settled", () => {
    const { value, context } = after(due(first), fannedOut("a", "b"), settled("tick-1", "a"));
    expect(value).toBe("fanningOut");
    expect(context.outstanding).toEqual(["b"]);
  });

  test("counts a shard that settles twice once", () => {
    const { context } = after(
      due(first),
      fannedOut("a", "b"),
      settled("tick-1", "a"),
      settled("tick-1", "a"),
    );
    expect(context.outstanding).toEqual(["b"]);
  });

  test("does not listen to a shard of another tick", () => {
    const { context } = after(due(first), fannedOut("a"), settled("tick-0", "a"));
    expect(context.outstanding).toEqual(["a"]);
  });

  test("waits for the database to close the tick, also when no shard is outstanding", () => {
    const { value } = after(due(first), fannedOut("a"), settled("tick-1", "a"));
    expect(value).toBe("fanningOut");
  });

  test("is idle when its tick is closed, also with shards missing at the deadline", () => {
    const { value, context } = after(due(first), fannedOut("a"), closed("tick-1"));
    expect(value).toBe("idle");
    expect(context).toMatchObject({ tick: null, outstanding: [] });
  });

  test("stays when another tick is closed", () => {
    expect(after(due(first), fannedOut("a"), closed("tick-0")).value).toBe("fanningOut");
  });

  test("takes a new tick as word that the old one was closed", () => {
    const { value, context } = after(due(first), fannedOut("a"), due(second));
    expect(value).toBe("analysing");
    expect(context.tick).toEqual(second);
  });

  test("no longer waits for the old tick's shards after a new one", () => {
    const { context } = after(due(first), fannedOut("a"), due(second), fannedOut("b"));
    expect(context.outstanding).toEqual(["b"]);
  });
});

describe("a paused group", () => {
  test("still runs a tick that was proposed before the pause", () => {
    const { value, context } = after({ type: "PAUSE" }, due(first));
    expect(value).toBe("analysing");
    expect(context.tick).toEqual(first);
  });

  test("takes ticks again when resumed", () => {
    expect(after({ type: "PAUSE" }, { type: "RESUME" }, due(first)).value).toBe("analysing");
  });
});

describe("in every reachable state", () => {
  const paths = reachableStates();

  test("all states of the machine are among them", () => {
    expect(new Set(paths.map(({ value }) => value))).toEqual(
      new Set(["idle", "analysing", "fanningOut", "paused"]),
    );
  });

  test("every transition of the machine is taken from one of them", () => {
    const taken = paths.flatMap(({ events }) =>
      alphabet.flatMap((event) => {
        const actor = group();
        for (const step of events) actor.send(step);
        return templateGroupMachine.getTransitionData(actor.getSnapshot(), event).map(nameOf);
      }),
    );
    expect([...new Set(taken)].toSorted()).toEqual(transitionsOf(templateGroupMachine).toSorted());
  });

  test.each(paths)("a tick is known exactly while one is under way: $says", (path) => {
    const { value, context } = after(...path.events);
    expect(context.tick !== null).toBe(value === "analysing" || value === "fanningOut");
  });

  test.each(paths)("no event breaks it, and it finds its way back to idle: $says", (path) => {
    for (const event of alphabet) {
      const actor = group();
      for (const step of [...path.events, event]) actor.send(step);
      expect(actor.getSnapshot().status).toBe("active");
      const { tick: open } = actor.getSnapshot().context;
      actor.send({ type: "RESUME" });
      actor.send({ type: "ANALYSIS_FAILED" });
      actor.send(closed(open?.id ?? ""));
      expect(actor.getSnapshot().value).toBe("idle");
    }
  });

  test.each(paths)("it goes on the same after each of two round trips: $says", (path) => {
    for (const first of alphabet) {
      for (const second of alphabet) {
        const original = group();
        for (const step of path.events) original.send(step);
        const copy = thawed(JSON.stringify(stand(original)));
        for (const actor of [original, copy]) actor.send(first);
        const copied = thawed(JSON.stringify(stand(copy)));
        for (const actor of [original, copied]) actor.send(second);
        expect(stand(copied), `${first.type}, ${second.type}`).toEqual(stand(original));
      }
    }
  });

  test.each(paths)("it goes on the same from what XState itself persists: $says", (path) => {
    for (const event of alphabet) {
      const original = group();
      for (const step of path.events) original.send(step);
      const snapshot = JSON.parse(JSON.stringify(original.getPersistedSnapshot()));
      const copy = createActor(templateGroupMachine, { input, snapshot }).start();
      for (const actor of [original, copy]) actor.send(event);
      expect(stand(copy), event.type).toEqual(stand(original));
    }
  });

  // It is not stored: a node begins anew, and what it forgot the database knows.
  test.each(paths)("a node that forgot it takes the next tick all the same: $says", (path) => {
    const forgetful = group();
    const remembering = group();
    for (const step of path.events) remembering.send(step);
    const next = due(tick("tick-3", 3));
    forgetful.send(next);
    forgetful.send(fannedOut("a"));
    const { tick: open } = remembering.getSnapshot().context;
    if (open !== null) remembering.send(closed(open.id));
    if (remembering.getSnapshot().value === "analysing") {
      remembering.send({ type: "ANALYSIS_FAILED" });
    }
    remembering.send(next);
    remembering.send(fannedOut("a"));
    const [fresh, old] = [stand(forgetful), stand(remembering)];
    expect({ ...fresh, context: { ...fresh.context, skipped: 0 } }).toEqual({
      ...old,
      context: { ...old.context, skipped: 0 },
    });
  });
});

interface Stand {
  value: "idle" | "analysing" | "fanningOut" | "paused";
  context: GroupContext;
}

interface Path {
  says: string;
  value: string;
  events: GroupEvent[];
}

const byType: { [Type in GroupEvent["type"]]: (GroupEvent & { type: Type })[] } = {
  TICK_DUE: [due(first), due(second)],
  FANNED_OUT: [fannedOut(), fannedOut("a", "b")],
  ANALYSIS_FAILED: [{ type: "ANALYSIS_FAILED" }],
  SHARD_SETTLED: [settled("tick-1", "a"), settled("tick-1", "b"), settled("tick-2", "a")],
  TICK_CLOSED: [closed("tick-1"), closed("tick-2")],
  PAUSE: [{ type: "PAUSE" }],
  RESUME: [{ type: "RESUME" }],
};
const alphabet: GroupEvent[] = Object.values(byType).flat();

function reachableStates(): Path[] {
  const found = getShortestPaths(templateGroupMachine, {
    input,
    events: alphabet,
    // The count of skipped ticks has no bound and decides nothing.
    serializeState: ({ value, context: { skipped: _, ...rest } }) => JSON.stringify([value, rest]),
  });
  return found.map(({ state, steps }) => {
    const events = steps.map(({ event }) => event).filter(isOurs);
    const trail = events.map(({ type }) => type).join(", ");
    return { says: `${state.value} after ${trail || "nothing"}`, value: state.value, events };
  });
}

function isOurs(event: { type: string }): event is GroupEvent {
  return !event.type.startsWith("xstate.");
}

function group() {
  return createActor(templateGroupMachine, { input }).start();
}

function thawed(text: string) {
  const snapshot = templateGroupMachine.resolveState(JSON.parse(text) as Stand);
  return createActor(templateGroupMachine, { input, snapshot }).start();
}

function stand(actor: ReturnType<typeof group>): Stand {
  const { value, context } = actor.getSnapshot();
  return { value, context };
}

function after(...events: GroupEvent[]): Stand {
  const actor = group();
  for (const event of events) actor.send(event);
  return stand(actor);
}

function tick(id: string, scheduledFor: number): Tick {
  return { id, definitionId: "definition-1", scheduledFor, previousFor: null, status: "pending" };
}

function due(which: Tick): GroupEvent & { type: "TICK_DUE" } {
  return { type: "TICK_DUE", tick: which };
}

function fannedOut(...shardIds: string[]): GroupEvent & { type: "FANNED_OUT" } {
  return { type: "FANNED_OUT", shardIds };
}

function settled(tickId: string, shardId: string): GroupEvent & { type: "SHARD_SETTLED" } {
  return { type: "SHARD_SETTLED", tickId, shardId };
}

function closed(tickId: string): GroupEvent & { type: "TICK_CLOSED" } {
  return { type: "TICK_CLOSED", tickId };
}
