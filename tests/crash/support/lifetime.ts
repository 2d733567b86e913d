// One database from its seed to the end of its replay, through any number of deaths; whoever opens it
// next looks at what the dead left, and reports it before it goes on.
import { expect } from "vitest";
import type { Boundary } from "#ports/boundaries.ts";
import {
  type CommittedActor,
  type History,
  historyOf,
  plain,
  type Query,
  violations,
} from "#support/invariants.ts";
import type { CrashStore } from "./crash-stores.ts";
import { type EndedRun, type Later, type Orders, startRun } from "./engine-run.ts";
import type { Findings, RestoredActor } from "./reports.ts";

export interface Kill {
  boundary: Boundary;
  /** Counted from the start of the process. */
  occurrence: number;
}

export class Lifetime {
  readonly #store: CrashStore;
  readonly #openAtStart: number[] = [];

  constructor(store: CrashStore) {
    this.#store = store;
  }

  /** Runs a process until it kills itself at the boundary. */
  async dieAt(kill: Kill, orders: Orders, replay: string): Promise<void> {
    const crashAt = `${kill.boundary}:${kill.occurrence}`;
    const ended = await this.#run(orders, { replay, crashAt });
    expect(ended, `no death at ${crashAt}`).toMatchObject({ signal: "SIGKILL" });
  }

  /** Kills a process at some moment; false when it was done before. */
  async dieLater(later: Later, orders: Orders, replay: string): Promise<boolean> {
    const ended = await this.#run(orders, { replay, later });
    return ended.signal === "SIGKILL";
  }

  /** Lets a process run to the end of the replay and leave in good order. */
  async finish(orders: Orders, replay: string): Promise<void> {
    const ended = await this.#run(orders, { replay });
    expect(ended, ended.complaints).toMatchObject({ exitCode: 0 });
  }

  /** Ticks that each process found under way when it started. */
  get openAtStart(): readonly number[] {
    return this.#openAtStart;
  }

  /** All its rows, once nothing about them breaks an invariant. */
  history(without: readonly string[] = []): Promise<History> {
    return this.#store.inspect(async (query) => {
      expect(await violations(query)).toEqual([]);
      return historyOf(query, without);
    });
  }

  inspect<T>(read: (query: Query) => Promise<T>): Promise<T> {
    return this.#store.inspect(read);
  }

  async #run(
    orders: Orders,
    { replay, crashAt, later }: { replay: string; crashAt?: string; later?: Later },
  ): Promise<EndedRun> {
    const environment = {
      ...this.#store.environment,
      TROUPE_REPLAY_FILE: replay,
      ...(crashAt === undefined ? {} : { TROUPE_CRASH_AT: crashAt }),
      // Slow enough that a kill by the clock finds it at work.
      ...(later === undefined ? {} : { TROUPE_REPLAY_SPEED: "50" }),
    };
    await using run = startRun(orders, environment);
    if (later !== undefined) run.killLater(later);
    const ended = await run.ended;
    this.#openAtStart.push(checkStart(ended).openTicks);
    await this.#store.settled();
    return ended;
  }
}

/** I1, I2 and I10 in what the dead process left; I8 in what this one made of it. */
export function checkStart({ reports, complaints }: EndedRun): Findings {
  const opened = reports.find((report) => report.event === "opened");
  const restored = reports.find((report) => report.event === "restored");
  if (opened?.event !== "opened") throw new Error(`it did not open its database:\n${complaints}`);
  expect(opened.violations).toEqual([]);
  if (restored?.event !== "restored") return opened;
  const actors = new Map(restored.actors.map((actor) => [actor.strategyId, actor]));
  for (const committed of opened.committed) {
    const actor = actors.get(committed.id);
    expect(actor, `strategy ${committed.id} was not restored`).toBeDefined();
    if (actor !== undefined) expectSame(actor, committed);
  }
  return opened;
}

function expectSame(actor: RestoredActor, committed: CommittedActor): void {
  // At boot what a shutdown left cancelled runs again, by a commit of its own.
  const resumed = committed.value === "cancelled" ? 1 : 0;
  expect({ ...actor, equity: plain(actor.equity), cash: plain(actor.cash) }).toEqual({
    strategyId: committed.id,
    seq: committed.seq + resumed,
    value: resumed === 1 ? "running" : committed.value,
    context: committed.context,
    equity: committed.equity,
    cash: committed.cash,
  });
}
