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

export class Lifetime {
  readonly #store: CrashStore;
  readonly #table: KillTable;
  readonly #signal: AbortSignal;
  #newest: Death | null = null;
  /** What processes showed last. */
  readonly #shown = new Map<string, ShownStrategy>();
  #hasCutShutdownShort = false;

  /** `signal` ends it, with the process that runs. */
  constructor(store: CrashStore, table: KillTable, signal: AbortSignal) {
    this.#store = store;
    this.#table = table;
    this.#signal = signal;
  }

  async die(death: Kill | Later, orders: Orders, replay: string): Promise<void> {
    if ("boundary" in death) await this.#dieAt(death, orders, replay);
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

  async #dieAt({ boundary, occurrence }: Kill, orders: Orders, replay: string): Promise<void> {
    const crashAt = `${boundary}:${occurrence}`;
    const environment = { TROUPE_REPLAY_FILE: replay, TROUPE_CRASH_AT: crashAt };
    const ended = await this.#run(orders, environment);
    expect(ended, `no death at ${crashAt}: ${ended.complaints}`).toMatchObject({
      signal: "SIGKILL",
    });
    if (boundary === "shutdown.shard-cancelled") this.#hasCutShutdownShort = true;
    this.#died(boundary);
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
    const settings = { ...this.#store.environment, ...environment };
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
      const shown =
        report.event === "worked" || report.event === "finished"
          ? report.shown
          : report.event === "restored"
            ? report.actors.map((actor) => actor.shown)
            : [];
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
  const now = {
    strategyId: committed.id,
    seq: committed.seq + resumed,
    equity: committed.equity,
    cash: committed.cash,
  };
  const value = resumed === 1 ? "running" : committed.value;
  const { shown, ...restored } = actor;
  expect(withPlainMoney(restored)).toEqual({ ...now, value, context: committed.context });
  const { cycleIndex } = committed;
  expect(withPlainMoney(shown)).toEqual({ ...now, state: value, cycleIndex });
}

/** I5: nothing that was ever shown is ahead of what is stored, or else than that. */
function expectShown(
  shown: ReadonlyMap<string, ShownStrategy>,
  stored: readonly CommittedActor[],
): void {
  for (const { id, seq, cycleIndex, equity, cash, value } of stored) {
    const strategy = shown.get(id);
    if (strategy === undefined) continue;
    expect(strategy.seq, `what was shown of strategy ${id}`).toBeLessThanOrEqual(seq);
    if (strategy.seq < seq) continue;
    const expected = { strategyId: id, seq, cycleIndex, equity, cash, state: value };
    expect(withPlainMoney(strategy)).toEqual(expected);
  }
}

function withPlainMoney<T extends { equity: string; cash: string }>(figures: T): T {
  return { ...figures, equity: plain(figures.equity), cash: plain(figures.cash) };
}
