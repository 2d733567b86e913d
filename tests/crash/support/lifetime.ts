// One database from its seed to the end of its replay, through any number of deaths; whoever opens it
// next looks at what the dead left, and reports it before it goes on.
import { expect } from "vitest";
import {
  type CommittedActor,
  committedActors,
  differences,
  type History,
  historyOf,
  plain,
  violations,
} from "#support/invariants.ts";
import { unaccounted } from "./accounts.ts";
import type { CrashStore } from "./crash-stores.ts";
import { type EndedRun, type Orders, startRun } from "./engine-run.ts";
import type { Kill, Later } from "./kill-plan.ts";
import type { Death, KillTable } from "./kill-table.ts";
import type { Findings, RestoredActor, ShownStrategy } from "./reports.ts";

/** Differs when a command is asked for again: its shard's owner is told to look again. */
const PER_REQUEST = ["roster_version"];
/** Differ when a shutdown was cut short: what it had marked cancelled is resumed, and marked again. */
const PER_BOOT = ["seq", "version"];

export interface LifetimeOptions {
  table: KillTable;
  /** Ends it, with the process that runs. */
  signal: AbortSignal;
  /** For the strategies of its processes; 0: they share the main one. */
  threads: number;
}

export class Lifetime {
  readonly #store: CrashStore;
  readonly #table: KillTable;
  readonly #signal: AbortSignal;
  readonly #threads: string;
  #newest: Death | null = null;
  /** What processes showed last. */
  readonly #shown = new Map<string, ShownStrategy>();
  #hasCutShutdownShort = false;

  constructor(store: CrashStore, { table, signal, threads }: LifetimeOptions) {
    this.#store = store;
    this.#table = table;
    this.#signal = signal;
    this.#threads = String(threads);
  }

  async die(death: Kill | Later, orders: Orders, replay: string): Promise<void> {
    if ("failpoint" in death) await this.#dieAt(death, orders, replay);
    else await this.#dieLater(death, orders, replay);
  }

  /** Lets a process run to the end of the replay and leave in good order. */
  async finish(orders: Orders, replay: string): Promise<void> {
    const ended = await this.#run(orders, { TROUPE_REPLAY_FILE: replay });
    expect(ended, ended.complaints).toMatchObject({ exitCode: 0 });
  }

  /** What its rows have that those of an undisturbed life have not, and the other way round. */
  async expectSameRows(undisturbed: Lifetime): Promise<void> {
    const without = [...PER_REQUEST, ...(this.#hasCutShutdownShort ? PER_BOOT : [])];
    const [expected, found] = [await undisturbed.history(without), await this.history(without)];
    expect(differences(expected, found)).toEqual([]);
  }

  /** All its rows, once nothing about them breaks an invariant. */
  history(without: readonly string[] = []): Promise<History> {
    return this.#store.inspect(async (query) => {
      expect(await violations(query)).toEqual([]);
      expect(await unaccounted(query)).toEqual([]);
      expectShown(this.#shown, await committedActors(query));
      return historyOf(query, without);
    });
  }

  async #dieAt({ failpoint, occurrence }: Kill, orders: Orders, replay: string): Promise<void> {
    const crashAt = `${failpoint}:${occurrence}`;
    const environment = { TROUPE_REPLAY_FILE: replay, TROUPE_CRASH_AT: crashAt };
    const ended = await this.#run(orders, environment);
    expect(ended, `no death at ${crashAt}: ${ended.complaints}`).toMatchObject({
      signal: "SIGKILL",
    });
    if (failpoint === "shutdown.shard-cancelled") this.#hasCutShutdownShort = true;
    this.#died(failpoint);
  }

  async #dieLater(later: Later, orders: Orders, replay: string): Promise<void> {
    // Slow enough that a kill by the clock finds it at work.
    const environment = { TROUPE_REPLAY_FILE: replay, TROUPE_REPLAY_SPEED: "50" };
    const ended = await this.#run(orders, environment, later);
    expect(ended, `done before it was killed: ${ended.complaints}`).toMatchObject({
      signal: "SIGKILL",
    });
    this.#died(`at any moment once it has ${later.after}`);
  }

  #died(where: string): void {
    this.#newest = this.#table.add(where, this.#store.kind);
  }

  async #run(
    orders: Orders,
    environment: Readonly<Record<string, string>>,
    later?: Later,
  ): Promise<EndedRun> {
    const threads = { TROUPE_ENGINE_THREADS: this.#threads };
    const settings = { ...this.#store.environment, ...threads, ...environment };
    await using run = startRun(orders, settings, this.#signal);
    if (later !== undefined) run.killLater(later);
    const ended = await run.ended;
    this.#signal.throwIfAborted();
    const { openTicks, committed } = checkStart(ended);
    expectShown(this.#shown, committed);
    if (this.#newest !== null) {
      this.#newest.recovered = true;
      this.#newest.leftOpen = openTicks > 0;
      this.#newest = null;
    }
    this.#remember(ended);
    await this.#store.settled();
    return ended;
  }

  #remember({ reports }: EndedRun): void {
    for (const report of reports) {
      const shown = "shown" in report ? report.shown : [];
      for (const strategy of shown) this.#shown.set(strategy.strategyId, strategy);
    }
  }
}

/** I1, I2, I7 and I10 in what the process before left; I5 and I8 in what this one made of it. */
export function checkStart({ reports, complaints }: EndedRun): Findings {
  const opened = reports.find((report) => report.event === "opened");
  const restored = reports.find((report) => report.event === "restored");
  if (opened?.event !== "opened") throw new Error(`it did not open its database:\n${complaints}`);
  expect(opened.violations).toEqual([]);
  if (restored?.event !== "restored") return opened;
  const actors = new Map(restored.actors?.map((actor) => [actor.strategyId, actor]));
  const shown = new Map(restored.shown.map((strategy) => [strategy.strategyId, strategy]));
  for (const committed of opened.committed) {
    const now = resumedAtBoot(committed);
    const strategy = shown.get(committed.id);
    expect(strategy, `strategy ${committed.id} is not shown`).toBeDefined();
    if (strategy !== undefined) expectShownAs(now, strategy);
    if (restored.actors === null) continue;
    const actor = actors.get(committed.id);
    expect(actor, `strategy ${committed.id} was not restored`).toBeDefined();
    if (actor !== undefined) expectSame(actor, now);
  }
  return opened;
}

/** At boot what a shutdown left cancelled runs again, by a commit of its own. */
function resumedAtBoot(committed: CommittedActor): CommittedActor {
  if (committed.value !== "cancelled") return committed;
  return { ...committed, value: "running", seq: committed.seq + 1 };
}

function expectSame(actor: RestoredActor, committed: CommittedActor): void {
  const { id, seq, value, context, equity, cash } = committed;
  const expected = { strategyId: id, seq, value, context, equity, cash };
  expect(withPlainMoney(actor)).toEqual(expected);
}

function expectShownAs(committed: CommittedActor, shown: ShownStrategy): void {
  const { id, seq, cycleIndex, equity, cash, value } = committed;
  const expected = { strategyId: id, seq, cycleIndex, equity, cash, state: value };
  expect(withPlainMoney(shown)).toEqual(expected);
}

/** I5: nothing that was ever shown is ahead of what is stored, or else than that. */
function expectShown(
  shown: ReadonlyMap<string, ShownStrategy>,
  stored: readonly CommittedActor[],
): void {
  for (const committed of stored) {
    const strategy = shown.get(committed.id);
    if (strategy === undefined) continue;
    const what = `what was shown of strategy ${committed.id}`;
    expect(strategy.seq, what).toBeLessThanOrEqual(committed.seq);
    if (strategy.seq === committed.seq) expectShownAs(committed, strategy);
  }
}

function withPlainMoney<T extends { equity: string; cash: string }>(figures: T): T {
  return { ...figures, equity: plain(figures.equity), cash: plain(figures.cash) };
}
