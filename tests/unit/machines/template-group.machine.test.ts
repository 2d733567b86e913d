import {
  createActor,
  fromPromise,
  type AnyTransitionDefinition,
  type InspectionEvent,
} from "xstate";
import { describe, expect, test } from "vitest";
import { DomainError, errorMessage } from "#domain/errors.ts";
import { RESTART_BUDGET } from "#domain/restart-budget.ts";
import type { Tick, TickStatus } from "#domain/tick.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import {
  templateGroupMachineOf,
  type AnalysedOrder,
  type AnalysedTick,
  type FailedOrder,
  type GroupEvent,
  type TickOrder,
} from "#machines/template-group.machine.ts";
import { nameOf, transitionsOf } from "#support/transitions.ts";

const [definition] = bundledDefinitions;
if (definition === undefined) throw new Error("no bundled definition");

const first = tick("tick-1", 1);
const second = tick("tick-2", 2);
const hopeless = new DomainError("UNKNOWN_AGENT", "no agent oracle");

const due = (which: Tick, delivery: string): Event => ({
  type: "TICK_DUE",
  tick: which,
  definition,
  delivery,
});
const open = (which: Tick, status: TickStatus): Event => ({
  type: "TICK_OPEN",
  tick: { ...which, status },
});
const closed = (tickId: string): Event => ({ type: "TICK_CLOSED", tickId });
const settled = (tickId: string, shardId: string): Event => ({
  type: "SHARD_SETTLED",
  tickId,
  shardId,
});
const strategyFailed = (elapsedMs: number, strategyId = "s"): Event => ({
  type: "STRATEGY_FAILED",
  strategyId,
  shardId: "x",
  error: "a bug",
  elapsedMs,
});
const shardFailed = (elapsedMs: number): Event => ({
  type: "SHARD_FAILED",
  shardId: "x",
  error: "a bug",
  elapsedMs,
});

/** How each state is reached: the first tick, delivered as "a", fanned out to x and y. */
const situations: Readonly<Record<string, (group: Group) => Promise<void>>> = {
  idle: async () => undefined,
  paused: async (group) => group.send({ type: "PAUSE" }),
  "analysing.running": async (group) => group.send(due(first, "a")),
  "analysing.failing": async (group) => {
    await situations["analysing.running"]?.(group);
    await group.fail("analysis", hopeless);
  },
  "fanningOut.committing": async (group) => {
    await situations["analysing.running"]?.(group);
    await group.answer("analysis");
  },
  "fanningOut.collecting": async (group) => {
    await situations["fanningOut.committing"]?.(group);
    await group.answer("fanOut", ["x", "y"]);
  },
  "fanningOut.closing": async (group) => {
    await situations["fanningOut.collecting"]?.(group);
    group.send(settled("tick-1", "x"));
    group.send(settled("tick-1", "y"));
  },
};

const events: Readonly<Record<string, (group: Group) => void | Promise<void>>> = {
  "the same tick again": (group) => group.send(due(first, "b")),
  "the next tick": (group) => group.send(due(second, "b")),
  "its tick found running": (group) => group.send(open(first, "running")),
  "another tick found running": (group) => group.send(open(second, "running")),
  "its tick found pending": (group) => group.send(open(first, "pending")),
  "its tick closed elsewhere": (group) => group.send(closed("tick-1")),
  "another tick closed elsewhere": (group) => group.send(closed("tick-0")),
  "one of two shards settled": (group) => group.send(settled("tick-1", "x")),
  "a shard of another tick settled": (group) => group.send(settled("tick-0", "x")),
  "a tick skipped": (group) => group.send({ type: "TICK_SKIPPED" }),
  "a pause": (group) => group.send({ type: "PAUSE" }),
  "a resume": (group) => group.send({ type: "RESUME" }),
  "a strategy failed": (group) => group.send(strategyFailed(0)),
  "a strategy failed too often": (group) => {
    for (let failures = 0; failures <= RESTART_BUDGET.restarts; failures += 1) {
      group.send(strategyFailed(failures));
    }
  },
  "a shard failed": (group) => group.send(shardFailed(0)),
  "a shard failed too often": (group) => {
    for (let failures = 0; failures <= RESTART_BUDGET.restarts; failures += 1) {
      group.send(shardFailed(failures));
    }
  },
};

/** What every state makes of these: it stays, and this happens. */
const everywhere: Readonly<Record<string, string[]>> = {
  "its tick found pending": ["give up tick-1"],
  "a strategy failed too often": ["stop s: a bug"],
  "a shard failed too often": ["hand back x: a bug"],
};

/** The rest: where it leads and what happens; what is not named changes neither. */
const table: Readonly<Record<string, Readonly<Record<string, [string, ...string[]]>>>> = {
  idle: {
    "the same tick again": ["analysing.running", "analysis tick-1"],
    "the next tick": ["analysing.running", "analysis tick-2"],
    "its tick found running": ["fanningOut.closing", "closing tick-1"],
    "another tick found running": ["fanningOut.closing", "closing tick-2"],
    "a pause": ["paused"],
  },
  paused: {
    "the same tick again": ["analysing.running", "analysis tick-1"],
    "the next tick": ["analysing.running", "analysis tick-2"],
    "its tick found running": ["fanningOut.closing", "closing tick-1"],
    "another tick found running": ["fanningOut.closing", "closing tick-2"],
    "a resume": ["idle"],
  },
  "analysing.running": {
    "the same tick again": ["analysing.running", "a failed: FENCED", "analysis tick-1"],
    "the next tick": ["analysing.running", "a failed: FENCED", "analysis tick-2"],
  },
  "analysing.failing": {
    "the same tick again": ["analysing.running", "a failed: FENCED", "analysis tick-1"],
    "the next tick": ["analysing.running", "a failed: FENCED", "analysis tick-2"],
  },
  "fanningOut.committing": {
    "the same tick again": ["analysing.running", "a failed: FENCED", "analysis tick-1"],
    "the next tick": ["analysing.running", "a failed: FENCED", "analysis tick-2"],
  },
  "fanningOut.collecting": {
    "the same tick again": ["analysing.running", "analysis tick-1"],
    "the next tick": ["analysing.running", "analysis tick-2"],
    "its tick found running": ["fanningOut.closing", "closing tick-1"],
    "another tick found running": ["fanningOut.closing", "closing tick-2"],
    "its tick closed elsewhere": ["idle", "over"],
  },
  "fanningOut.closing": {
    "the same tick again": ["analysing.running", "analysis tick-1"],
    "the next tick": ["analysing.running", "analysis tick-2"],
  },
};

const taken = new Set<string>();

describe.each(Object.keys(situations))("in %s", (state) => {
  test.each(Object.keys(events))("%s", async (event) => {
    const group = await reached(state);
    await events[event]?.(group);
    const [next, ...happens] = table[state]?.[event] ?? [state, ...(everywhere[event] ?? [])];
    expect({ state: group.state, happened: group.happened }).toEqual({
      state: next,
      happened: happens,
    });
  });
});

describe("an analysis", () => {
  test("that is done is committed", async () => {
    const group = await reached("analysing.running");
    await group.answer("analysis");
    expect(group.state).toBe("fanningOut.committing");
    expect(group.happened).toEqual(["fanOut tick-1"]);
  });

  test("that fails goes back to the queue", async () => {
    const group = await reached("analysing.running");
    await group.fail("analysis", new Error("unplugged"));
    expect(group.state).toBe("idle");
    expect(group.happened).toEqual(["a failed: unplugged"]);
    expect(group.context).toMatchObject({ tick: null, order: null });
  });

  test.each(["UNKNOWN_AGENT", "UNKNOWN_DECISION_AGENT", "UNKNOWN_CHANNEL"] as const)(
    "that no retry can mend fails its tick: %s",
    async (code) => {
      const group = await reached("analysing.running");
      await group.fail("analysis", new DomainError(code, "no such thing"));
      expect(group.state).toBe("analysing.failing");
      expect(group.happened).toEqual(["failure tick-1: no such thing"]);
      group.happened.length = 0;
      await group.answer("failure");
      expect(group.state).toBe("idle");
      expect(group.happened).toEqual(["a done", "over"]);
    },
  );

  test("whose failure cannot be stored goes back to the queue", async () => {
    const group = await reached("analysing.failing");
    await group.fail("failure", new Error("unplugged"));
    expect(group.state).toBe("idle");
    expect(group.happened).toEqual(["a failed: unplugged"]);
  });

  test("that is replaced by a newer delivery answers nobody any more", async () => {
    const group = await reached("analysing.running");
    const late = group.running("analysis");
    group.send(due(first, "b"));
    late.resolve(analysed(first));
    await settle();
    expect(group.state).toBe("analysing.running");
    await group.answer("analysis");
    await group.answer("fanOut", ["x"]);
    expect(group.happened).toContain("b done");
    expect(group.happened).not.toContain("a done");
  });
});

describe("a fan-out", () => {
  test("waits for its shards, and its message is done", async () => {
    const group = await reached("fanningOut.committing");
    await group.answer("fanOut", ["x", "y"]);
    expect(group.state).toBe("fanningOut.collecting");
    expect(group.happened).toEqual(["a done"]);
    expect(group.context).toMatchObject({ outstanding: ["x", "y"], order: null, analysed: null });
  });

  test("to no shard at all is over at once", async () => {
    const group = await reached("fanningOut.committing");
    await group.answer("fanOut", []);
    expect(group.state).toBe("idle");
    expect(group.happened).toEqual(["a done", "over"]);
  });

  test("that is not committed goes back to the queue", async () => {
    const group = await reached("fanningOut.committing");
    await group.fail("fanOut", new Error("fenced"));
    expect(group.state).toBe("idle");
    expect(group.happened).toEqual(["a failed: fenced"]);
  });

  test("is closed when its last shard has settled, one that settles twice counted once", async () => {
    const group = await reached("fanningOut.collecting");
    group.send(settled("tick-1", "x"));
    group.send(settled("tick-1", "x"));
    expect(group.state).toBe("fanningOut.collecting");
    group.send(settled("tick-1", "y"));
    expect(group.state).toBe("fanningOut.closing");
    expect(group.happened).toEqual(["closing tick-1"]);
  });

  test("of another node is seen to its end without knowing its shards", async () => {
    const group = await reached("fanningOut.collecting");
    group.send(open(second, "running"));
    await group.answer("closing", "running");
    expect(group.state).toBe("fanningOut.collecting");
    expect(group.context).toMatchObject({ tick: { id: "tick-2" }, outstanding: [] });
  });

  test("of its own that is looked at again still waits for the same shards", async () => {
    const group = await reached("fanningOut.collecting");
    group.send(open(first, "running"));
    group.send(settled("tick-1", "x"));
    await group.answer("closing", "running");
    expect(group.state).toBe("fanningOut.collecting");
    expect(group.context.outstanding).toEqual(["y"]);
  });
});

describe("a tick that is to be closed", () => {
  test.each(["completed", "timed_out", "failed", null] as const)(
    "is over when it is %s",
    async (is) => {
      const group = await reached("fanningOut.closing");
      await group.answer("closing", is);
      expect(group.state).toBe("idle");
      expect(group.happened).toEqual(["over"]);
    },
  );

  test("is waited for while the database holds it open", async () => {
    const group = await reached("fanningOut.closing");
    await group.answer("closing", "running");
    expect(group.state).toBe("fanningOut.collecting");
  });

  test("is waited for when the database did not answer, and tried again at the next sweep", async () => {
    const group = await reached("fanningOut.closing");
    await group.fail("closing", new Error("unplugged"));
    expect(group.state).toBe("fanningOut.collecting");
    group.send(open(first, "running"));
    expect(group.happened).toEqual(["closing tick-1"]);
  });
});

describe("a pause", () => {
  test("lets the tick under way end, then rests", async () => {
    const group = await reached("fanningOut.closing");
    group.send({ type: "PAUSE" });
    expect(group.state).toBe("fanningOut.closing");
    await group.answer("closing", "completed");
    expect(group.state).toBe("paused");
    expect(group.context.tick).toBeNull();
  });

  test("that is over before the tick is leaves nothing behind", async () => {
    const group = await reached("analysing.running");
    group.send({ type: "PAUSE" });
    group.send({ type: "RESUME" });
    await group.fail("analysis", new Error("unplugged"));
    expect(group.state).toBe("idle");
  });
});

describe("supervision", () => {
  test("counts each strategy and each shard for itself", async () => {
    const group = await reached("idle");
    for (let failures = 0; failures < RESTART_BUDGET.restarts; failures += 1) {
      group.send(strategyFailed(failures, "s"));
      group.send(strategyFailed(failures, "other"));
      group.send(shardFailed(failures));
    }
    expect(group.happened).toEqual([]);
    group.send(strategyFailed(9, "other"));
    expect(group.happened).toEqual(["stop other: a bug"]);
  });

  test("forgets restarts that are ten minutes old", async () => {
    const group = await reached("idle");
    for (let failures = 0; failures < RESTART_BUDGET.restarts; failures += 1) {
      group.send(strategyFailed(failures));
    }
    group.send(strategyFailed(RESTART_BUDGET.windowMs));
    expect(group.happened).toEqual([]);
    group.send(strategyFailed(RESTART_BUDGET.windowMs));
    expect(group.happened).toEqual(["stop s: a bug"]);
  });

  test("escalates again what fails on after an escalation", async () => {
    const group = await reached("idle");
    for (let failures = 0; failures < RESTART_BUDGET.restarts + 2; failures += 1) {
      group.send(shardFailed(failures));
    }
    expect(group.happened).toEqual(["hand back x: a bug", "hand back x: a bug"]);
  });
});

test("a skipped tick is counted", async () => {
  const group = await reached("analysing.running");
  group.send({ type: "TICK_SKIPPED" });
  expect(group.context.skipped).toBe(1);
});

// It is not stored: a node begins anew, and what it forgot the database knows.
test.each(Object.keys(situations))(
  "a node that forgot %s takes the next tick all the same",
  async (state) => {
    const [forgetful, remembering] = [await reached("idle"), await reached(state)];
    for (const group of [forgetful, remembering]) {
      group.send({ type: "RESUME" });
      group.send(due(second, "b"));
      await group.answer("analysis", analysed(second));
      await group.answer("fanOut", ["z"]);
    }
    expect(remembering.context).toEqual(forgetful.context);
    expect(remembering.state).toBe(forgetful.state);
  },
);

test("every transition of the machine is taken by one of these tests", () => {
  expect([...taken].toSorted()).toEqual(transitionsOf(templateGroupMachineOf<string>()).toSorted());
});

type Event = GroupEvent<string>;
type Effect = "analysis" | "fanOut" | "failure" | "closing";

/** A group whose effects the test answers, and whose actions it reads. */
class Group {
  readonly happened: string[] = [];
  readonly #running = new Map<Effect, PromiseWithResolvers<unknown>>();
  readonly #actor;

  constructor() {
    this.#actor = createActor(this.#machine(), {
      input: { definitionId: "definition-1" },
      inspect: noteTransitions,
    }).start();
  }

  get context() {
    return this.#actor.getSnapshot().context;
  }

  /** As a path: `fanningOut.closing`. */
  get state(): string {
    const { value } = this.#actor.getSnapshot();
    return typeof value === "string" ? value : Object.entries(value).flat().join(".");
  }

  send(event: Event): void {
    this.#actor.send(event);
  }

  /** The newest run of an effect. */
  running(effect: Effect): PromiseWithResolvers<unknown> {
    const found = this.#running.get(effect);
    if (found === undefined) throw new Error(`no ${effect} was begun`);
    return found;
  }

  async answer(effect: Effect, output: unknown = effect === "analysis" ? analysed(first) : null) {
    this.running(effect).resolve(output);
    await settle();
  }

  async fail(effect: Effect, error: Error): Promise<void> {
    this.running(effect).reject(error);
    await settle();
  }

  #begin<T>(effect: Effect, says: string): Promise<T> {
    this.happened.push(`${effect} ${says}`);
    const run = Promise.withResolvers<T>();
    this.#running.set(effect, run as PromiseWithResolvers<unknown>);
    return run.promise;
  }

  #machine() {
    const says = (text: string): void => void this.happened.push(text);
    return templateGroupMachineOf<string>().provide({
      actors: {
        analysis: fromPromise<AnalysedTick, TickOrder<string>>(({ input }) =>
          this.#begin("analysis", input.tick.id),
        ),
        fanOut: fromPromise<readonly string[], AnalysedOrder<string>>(({ input }) =>
          this.#begin("fanOut", input.analysed.input.tick.id),
        ),
        failure: fromPromise<void, FailedOrder<string>>(({ input }) =>
          this.#begin("failure", `${input.tick.id}: ${errorMessage(input.error)}`),
        ),
        closing: fromPromise<TickStatus | null, Tick>(({ input }) =>
          this.#begin("closing", input.id),
        ),
      },
      actions: {
        answerDone: (_, { delivery }) => says(`${delivery} done`),
        answerFailed: (_, { delivery, error }) => says(`${delivery} failed: ${reasonOf(error)}`),
        announceTickOver: () => says("over"),
        giveUpAnalysis: (_, { id }) => says(`give up ${id}`),
        stopStrategy: (_, { strategyId, error }) => says(`stop ${strategyId}: ${error}`),
        handBackShard: (_, { shardId, error }) => says(`hand back ${shardId}: ${error}`),
      },
    });
  }
}

/** A group in that state, with nothing on record of how it came there. */
async function reached(state: string): Promise<Group> {
  const group = new Group();
  await situations[state]?.(group);
  expect(group.state).toBe(state);
  group.happened.length = 0;
  return group;
}

function noteTransitions(event: InspectionEvent): void {
  if (event.type !== "@xstate.microstep") return;
  const transitions: AnyTransitionDefinition[] = event._transitions;
  for (const transition of transitions) taken.add(nameOf(transition));
}

/** Lets promises that are settled be heard of. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function reasonOf(error: unknown): string {
  return error instanceof DomainError ? error.code : errorMessage(error);
}

function analysed(which: Tick): AnalysedTick {
  const market = { at: which.scheduledFor, quotes: {}, funding: [], facts: {} };
  if (definition === undefined) throw new Error("no bundled definition");
  const input = { tick: which, definition, market, analysis: {} };
  return { input, outputs: [], analysisMs: 0 };
}

function tick(id: string, scheduledFor: number): Tick {
  return { id, definitionId: "definition-1", scheduledFor, previousFor: null, status: "pending" };
}
