import { describe, expect, test } from "vitest";
import type { StrategyState } from "#domain/strategy.ts";
import type { StrategyContext, StrategyEvent } from "#machines/strategy.machine.ts";
import {
  allEvents,
  FIRST_TICK,
  heldContext,
  hold,
  longContext,
  newContext,
  observedActor,
  pendingOrder,
  recorded,
  SECOND_TICK,
  stopWith,
  tickAt,
} from "#support/strategy-situations.ts";

const DECIDED: StrategyEvent = { type: "DECIDED", decision: hold };
const DECISION_FAILED: StrategyEvent = {
  type: "DECISION_FAILED",
  error: { code: "PORT_TIMEOUT", message: "no decision" },
};
const CANCEL: StrategyEvent = { type: "CANCEL", reason: "shutdown" };
const RESUME: StrategyEvent = { type: "RESUME" };

describe("a running strategy", () => {
  test("begins to decide when a tick comes", () => {
    const { value, asked } = after("running", newContext(), tickAt(FIRST_TICK));
    expect(value).toBe("composing");
    expect(asked).toEqual(["beginDecision"]);
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
    });
    expect(asked).toEqual(["beginClosing"]);
  });

  test("is cancelled with its positions untouched", () => {
    const { value, context, asked } = after("running", longContext(), CANCEL);
    expect(value).toBe("cancelled");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test.each([DECIDED, DECISION_FAILED, recorded("stopped", newContext()), RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("running", heldContext(), event),
  );
});

describe("a composing strategy", () => {
  test("executes what was decided", () => {
    const { value, asked } = after("composing", newContext(), DECIDED);
    expect(value).toBe("executing");
    expect(asked).toEqual(["beginExecution"]);
  });

  test("goes on to record the failure when the decision failed", () => {
    const { value, asked } = after("composing", newContext(), DECISION_FAILED);
    expect(value).toBe("executing");
    expect(asked).toEqual(["beginFailure"]);
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
    expect(asked).toEqual(["beginClosing"]);
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
    expect(actor.asked).toEqual(["beginClosing"]);
  });

  test("is cancelled with nothing decided", () => {
    const { value, asked } = after("composing", longContext(), CANCEL);
    expect(value).toBe("cancelled");
    expect(asked).toEqual([]);
  });

  test.each([tickAt(SECOND_TICK), recorded("running", longContext()), RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("composing", heldContext(), event),
  );
});

describe("an executing strategy", () => {
  test("runs on with what was recorded", () => {
    const { value, context } = after("executing", newContext(), recorded("running", longContext()));
    expect(value).toBe("running");
    expect(context).toEqual(longContext());
  });

  test("runs on after a recorded cycle without orders", () => {
    const { value, context } = after("executing", newContext(), recorded("running", heldContext()));
    expect(value).toBe("running");
    expect(context.cycleIndex).toBe(1);
  });

  test("is stopped when the record says so, its stop carried out", () => {
    const { stop } = after("running", longContext(), stopWith(true)).context;
    const { value, context } = after(
      "executing",
      longContext({ stop }),
      recorded("stopped", heldContext()),
    );
    expect(value).toBe("stopped");
    expect(context).toEqual(heldContext());
  });

  test("is stopped when the record says so, even with positions it could not close", () => {
    const { value, context } = after(
      "executing",
      longContext({ stop: request(true) }),
      recorded("stopped", longContext()),
    );
    expect(value).toBe("stopped");
    expect(context.ledger.positions).toEqual(longContext().ledger.positions);
  });

  test("remembers a stop and lets its orders finish", () => {
    const { value, context, asked } = after("executing", newContext(), stopWith(true));
    expect(value).toBe("executing");
    expect(context.stop).toEqual(request(true));
    expect(asked).toEqual([]);
  });

  test("stops after its orders when a stop was asked for meanwhile", () => {
    const { value, context, asked } = after(
      "executing",
      newContext({ stop: request(false) }),
      recorded("running", longContext()),
    );
    expect(value).toBe("stopped");
    expect(context).toEqual(longContext());
    expect(asked).toEqual([]);
  });

  test("closes what its orders opened when a closing stop was asked for meanwhile", () => {
    const { value, context, asked } = after(
      "executing",
      newContext({ stop: request(true) }),
      recorded("running", longContext()),
    );
    expect(value).toBe("executing");
    expect(context).toEqual(longContext({ stop: request(true) }));
    expect(asked).toEqual(["beginClosing"]);
  });

  test("stops without closing orders when its own orders left nothing to close", () => {
    const { value, asked } = after(
      "executing",
      longContext({ stop: request(true) }),
      recorded("running", heldContext()),
    );
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

  test("is not cancelled while an order is out", () => {
    expectIgnored("executing", newContext({ pending: [pendingOrder] }), CANCEL);
  });

  test.each([tickAt(SECOND_TICK), DECIDED, DECISION_FAILED, RESUME])(
    "does not listen to $type",
    (event) => expectIgnored("executing", heldContext(), event),
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

  test("listens to nothing else", () => {
    for (const event of allEvents.filter(({ type }) => type !== "RESUME")) {
      expectIgnored(value, longContext(), event);
    }
  });
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
  return { commandId: "command-1", closePositions, reason: "user asked" };
}
