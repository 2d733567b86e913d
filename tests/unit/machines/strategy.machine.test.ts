import { describe, expect, test } from "vitest";
import type { StrategyState } from "#domain/strategy.ts";
import type { StrategyContext, StrategyEvent } from "#machines/strategy.machine.ts";
import {
  allEvents,
  DECIDED,
  DECISION_FAILED,
  FIRST_TICK,
  heldContext,
  longContext,
  newContext,
  observedActor,
  pendingOrder,
  RECOVER,
  recorded,
  REPORTED,
  SECOND_TICK,
  stopWith,
  tickAt,
} from "#support/strategy-situations.ts";

const CANCEL: StrategyEvent = { type: "CANCEL", reason: "shutdown" };
const RESUME: StrategyEvent = { type: "RESUME" };
const RESTORED: StrategyEvent = { type: "RESTORED" };

describe("a running strategy", () => {
  test("begins to decide when a tick comes", () => {
    const { value, asked } = after("running", newContext(), tickAt(FIRST_TICK));
    expect(value).toBe("composing");
    expect(asked).toEqual(["decide"]);
  });

  test("keeps neither the tick nor the params in its snapshot", () => {
    const { context } = after("running", newContext(), tickAt(FIRST_TICK));
    expect(context).toEqual(newContext());
  });

  test("refuses a tick it has already recorded", () => {
    const { value, asked } = after("running", heldContext(), tickAt(FIRST_TICK));
    expect(value).toBe("running");
    expect(asked).toEqual([]);
  });

  test("refuses a tick older than the last it recorded", () => {
    const context = heldContext({ lastTickFor: SECOND_TICK });
    expect(after("running", context, tickAt(FIRST_TICK)).value).toBe("running");
  });

  test("takes the tick that follows the last it recorded", () => {
    expect(after("running", heldContext(), tickAt(SECOND_TICK)).value).toBe("composing");
  });

  test("stops at once when its positions may stay", () => {
    const { value, context, asked } = after("running", longContext(), stopWith(false));
    expect(value).toBe("stopped");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test("stops at once when it has nothing to close", () => {
    const { value, asked } = after("running", heldContext(), stopWith(true));
    expect(value).toBe("stopped");
    expect(asked).toEqual([]);
  });

  test("closes its positions before it stops when asked to", () => {
    const { value, context, asked } = after("running", longContext(), stopWith(true));
    expect(value).toBe("executing");
    expect(context.stop).toEqual({
      commandId: "command-1",
      closePositions: true,
      reason: "user asked",
      isClosing: false,
    });
    expect(asked).toEqual(["close"]);
  });

  test("is cancelled with its positions untouched", () => {
    const { value, context, asked } = after("running", longContext(), CANCEL);
    expect(value).toBe("cancelled");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test("takes the cycle that was recorded in the place of an actor that failed", () => {
    const { value, context } = after("running", newContext(), recorded(longContext()));
    expect(value).toBe("running");
    expect(context).toEqual(longContext());
  });

  test.each([DECIDED, DECISION_FAILED, REPORTED, RECOVER, RESTORED, RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("running", heldContext(), event),
  );
});

describe("a composing strategy", () => {
  test("executes what was decided", () => {
    const { value, asked } = after("composing", newContext(), DECIDED);
    expect(value).toBe("executing");
    expect(asked).toEqual(["execute"]);
  });

  test("goes on to record the failure when the decision failed", () => {
    const { value, asked } = after("composing", newContext(), DECISION_FAILED);
    expect(value).toBe("executing");
    expect(asked).toEqual(["fail"]);
  });

  test("abandons its decision when stopped with nothing to close", () => {
    const { value, asked } = after("composing", heldContext(), stopWith(true));
    expect(value).toBe("stopped");
    expect(asked).toEqual([]);
  });

  test("abandons its decision and stops when its positions may stay", () => {
    expect(after("composing", longContext(), stopWith(false)).value).toBe("stopped");
  });

  test("abandons its decision and closes its positions when asked to", () => {
    const { value, asked } = after("composing", longContext(), stopWith(true));
    expect(value).toBe("executing");
    expect(asked).toEqual(["close"]);
  });

  test("sends no order for a decision that comes after the stop", () => {
    const actor = observedActor(heldContext(), { value: "composing", context: heldContext() });
    actor.send(stopWith(false));
    actor.send(DECIDED);
    expect(actor.stand().value).toBe("stopped");
    expect(actor.asked).toEqual([]);
  });

  test("sends closing orders only when a decision comes while they are out", () => {
    const actor = observedActor(longContext(), { value: "composing", context: longContext() });
    actor.send(stopWith(true));
    actor.send(DECIDED);
    expect(actor.stand().value).toBe("executing");
    expect(actor.asked).toEqual(["close"]);
  });

  test("is cancelled with nothing decided", () => {
    const { value, asked } = after("composing", longContext(), CANCEL);
    expect(value).toBe("cancelled");
    expect(asked).toEqual([]);
  });

  test("stands, once restored, before the cycle that never happened", () => {
    expect(after("composing", heldContext(), RESTORED)).toEqual({
      value: "running",
      context: heldContext(),
      asked: [],
    });
  });

  test.each([tickAt(SECOND_TICK), recorded(longContext()), REPORTED, RECOVER, RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("composing", heldContext(), event),
  );
});

describe("an executing strategy", () => {
  test("runs on with what was recorded", () => {
    const { value, context } = after("executing", newContext(), recorded(longContext()));
    expect(value).toBe("running");
    expect(context).toEqual(longContext());
  });

  test("counts the cycle that was recorded", () => {
    const { context } = after("executing", longContext(), recorded(longContext()));
    expect(context.cycleIndex).toBe(longContext().cycleIndex + 1);
  });

  test("keeps the time of its last tick in a cycle that no tick caused", () => {
    const event = recorded(longContext(), { cause: "order", tickFor: null });
    expect(after("executing", longContext(), event).context.lastTickFor).toBe(FIRST_TICK);
  });

  test("is stopped when its closing is recorded", () => {
    const closed = recorded(heldContext(), { cause: "stop" });
    const { value, context } = after("executing", longContext({ stop: request(true) }), closed);
    expect(value).toBe("stopped");
    expect(context).toEqual(heldContext({ cycleIndex: 2 }));
  });

  test("is stopped when its closing is recorded, even with positions it could not close", () => {
    const closing = recorded(longContext(), { cause: "stop" });
    const { value, context } = after("executing", longContext({ stop: request(true) }), closing);
    expect(value).toBe("stopped");
    expect(context.ledger.positions).toEqual(longContext().ledger.positions);
  });

  test("remembers a stop while its channel takes its time", () => {
    const { value, context, asked } = after("executing", newContext(), stopWith(true));
    expect(value).toBe("executing");
    expect(context.stop).toEqual(request(true));
    expect(asked).toEqual([]);
  });

  test("stops after its orders when a stop was asked for meanwhile", () => {
    const { value, context, asked } = after(
      "executing",
      newContext({ stop: request(false) }),
      recorded(longContext()),
    );
    expect(value).toBe("stopped");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test("closes what its orders opened when a closing stop was asked for meanwhile", () => {
    const { value, context, asked } = after(
      "executing",
      newContext({ stop: request(true) }),
      recorded(longContext()),
    );
    expect(value).toBe("executing");
    expect(context).toEqual(longContext({ stop: request(true) }));
    expect(asked).toEqual(["close"]);
  });

  test("stops without closing orders when its own orders left nothing to close", () => {
    const context = longContext({ stop: request(true) });
    const { value, asked } = after("executing", context, recorded(heldContext()));
    expect(value).toBe("stopped");
    expect(asked).toEqual([]);
  });

  test("follows the last of two stops", () => {
    const { context } = after("executing", longContext({ stop: request(false) }), stopWith(true));
    expect(context.stop?.closePositions).toBe(true);
  });

  test("is cancelled when no order is out", () => {
    expect(after("executing", longContext(), CANCEL).value).toBe("cancelled");
  });

  test("stands, once restored, before the cycle that never happened", () => {
    const context = longContext({ stop: request(true) });
    expect(after("executing", context, RESTORED)).toEqual({
      value: "running",
      context: longContext(),
      asked: [],
    });
  });

  test.each([tickAt(SECOND_TICK), DECIDED, DECISION_FAILED, REPORTED, RECOVER, RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("executing", heldContext(), event),
  );
});

describe("a strategy with an order out", () => {
  const out = (changes: Partial<StrategyContext> = {}) =>
    longContext({ pending: [pendingOrder], ...changes });

  test("sends it once its intent is recorded", () => {
    const { value, context, asked } = after("executing", newContext(), recorded(out()));
    expect(value).toBe("executing");
    expect(context.pending).toEqual([pendingOrder]);
    expect(asked).toEqual(["place 1"]);
  });

  test("does not send an order of an earlier cycle again", () => {
    const event = recorded(out(), { cause: "order", tickFor: null, intended: [] });
    const { value, asked } = after("executing", out(), event);
    expect(value).toBe("executing");
    expect(asked).toEqual([]);
  });

  test("cancels what its protections made unwanted", () => {
    const unwanted = [pendingOrder.instructionId];
    const event = recorded(out({ lastTickFor: SECOND_TICK }), { intended: [], unwanted });
    expect(after("executing", out(), event).asked).toEqual(["cancel 1"]);
  });

  test("asks for it when its shard has a new holder", () => {
    const { value, asked } = after("executing", out(), RECOVER);
    expect(value).toBe("executing");
    expect(asked).toEqual(["find 1"]);
  });

  test("books what its venue told", () => {
    expect(after("executing", out(), REPORTED).asked).toEqual(["book"]);
  });

  test("runs on when nothing is out any more", () => {
    const event = recorded(longContext(), { cause: "order", tickFor: null });
    expect(after("executing", out(), event).value).toBe("running");
  });

  test("meets a tick without deciding", () => {
    const { value, asked } = after("executing", out(), tickAt(SECOND_TICK));
    expect(value).toBe("executing");
    expect(asked).toEqual(["skip"]);
  });

  test("refuses a tick it has already recorded", () => {
    expectIgnored("executing", out(), tickAt(FIRST_TICK));
  });

  test("has it cancelled when it is asked to stop", () => {
    const { value, context, asked } = after("executing", out(), stopWith(true));
    expect(value).toBe("executing");
    expect(context.stop).toEqual(request(true));
    expect(asked).toEqual(["cancel 1"]);
  });

  test("closes what it holds once nothing is out, and stops once that is over", () => {
    const actor = observedActor(out(), { value: "executing", context: out() });
    const answered = { cause: "order", tickFor: null } as const;
    actor.send(stopWith(true));
    actor.send(recorded(longContext(), answered));
    expect(actor.stand().value).toBe("executing");
    actor.send(recorded(out(), { cause: "stop", tickFor: null }));
    expect(actor.stand()).toMatchObject({
      value: "executing",
      context: { stop: { isClosing: true } },
    });
    actor.send(recorded(heldContext(), answered));
    expect(actor.stand()).toMatchObject({ value: "stopped", context: { stop: null } });
    expect(actor.asked).toEqual(["cancel 1", "close", "place 1"]);
  });

  test("stops with what its closing orders left open, and does not close for ever", () => {
    const stop = { commandId: "command-1", closePositions: true, reason: "", isClosing: true };
    const event = recorded(longContext(), { cause: "order", tickFor: null });
    expect(after("executing", out({ stop }), event).value).toBe("stopped");
  });

  test.each([CANCEL, RESTORED, DECIDED, DECISION_FAILED, RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("executing", out(), event),
  );
});

describe.each(["stopped", "cancelled"] as const)("a %s strategy", (value) => {
  test("runs on where it stood when resumed", () => {
    const { value: next, context, asked } = after(value, longContext(), RESUME);
    expect(next).toBe("running");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test("carries no old stop into its new life", () => {
    const { context } = after(value, longContext({ stop: request(true) }), RESUME);
    expect(context.stop).toBeNull();
  });

  test("still refuses, once resumed, the tick it had recorded", () => {
    const actor = observedActor(longContext(), { value, context: longContext() });
    actor.send(RESUME);
    actor.send(tickAt(FIRST_TICK));
    expect(actor.stand().value).toBe("running");
  });
});

test("a stopped strategy listens to nothing but a resume", () => {
  for (const event of allEvents.filter(({ type }) => type !== "RESUME")) {
    expectIgnored("stopped", longContext(), event);
  }
});

describe("a cancelled strategy", () => {
  test("runs on with the next tick", () => {
    const { value, asked } = after("cancelled", longContext(), tickAt(SECOND_TICK));
    expect(value).toBe("composing");
    expect(asked).toEqual(["decide"]);
  });

  test("is stopped without running first", () => {
    expect(after("cancelled", longContext(), stopWith(false)).value).toBe("stopped");
    expect(after("cancelled", longContext(), stopWith(true)).asked).toEqual(["close"]);
  });

  test.each([DECIDED, DECISION_FAILED, REPORTED, RECOVER, RESTORED, CANCEL])(
    "does not listen to $type",
    (event) => expectIgnored("cancelled", longContext(), event),
  );
});

interface After {
  value: StrategyState;
  context: StrategyContext;
  asked: string[];
}

function after(value: StrategyState, context: StrategyContext, event: StrategyEvent): After {
  const actor = observedActor(context, { value, context });
  actor.send(event);
  const stand = actor.stand();
  return { value: stand.value, context: stand.context, asked: actor.asked };
}

function expectIgnored(value: StrategyState, context: StrategyContext, event: StrategyEvent): void {
  expect(after(value, context, event)).toEqual({ value, context, asked: [] });
}

function request(closePositions: boolean): StrategyContext["stop"] {
  return { commandId: "command-1", closePositions, reason: "user asked", isClosing: false };
}
