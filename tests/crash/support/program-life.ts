// The same life as the product itself leads it: `src/main.ts` with its API up, watched over a socket,
// killed, and started again.
import { expect, vi } from "vitest";
import {
  type CommittedActor,
  committedActors,
  differences,
  type History,
  historyOf,
  plain,
  violations,
} from "#support/invariants.ts";
import { type RunningProgram, startProgram } from "#support/processes.ts";
import { type ApiClient, connect } from "#support/running-engine.ts";
import { unaccounted } from "./accounts.ts";
import type { CrashStore } from "./crash-stores.ts";
import type { Kill } from "./kill-plan.ts";
import type { KillTable } from "./kill-table.ts";

/** Differs when a command is asked for again: its shard's owner is told to look again. */
const PER_REQUEST = ["roster_version"];
const READY_MS = 120_000;
/** Ticks per second: slow enough to be watched. */
const SPEED = "20";

/** After so many changes that it showed, whatever it is doing. */
export interface Unforeseen {
  changes: number;
}

export interface StopCommand {
  name: string;
  commandId: string;
}

interface Shown {
  strategyId: string;
  cycleIndex: number;
  totalValue: string;
  cash: string;
}

interface Watched extends AsyncDisposable {
  program: RunningProgram;
  client: ApiClient;
  /** What its API has shown of strategies, oldest first. */
  shown: Shown[];
}

export class ProgramLife {
  readonly #store: CrashStore;
  readonly #table: KillTable;
  readonly #life: { replay: string; signal: AbortSignal };
  #committed: CommittedActor[] = [];

  /** `signal` kills the program that runs. */
  constructor(store: CrashStore, table: KillTable, life: { replay: string; signal: AbortSignal }) {
    this.#store = store;
    this.#table = table;
    this.#life = life;
  }

  async die(death: Kill | Unforeseen): Promise<void> {
    const isForeseen = "failpoint" in death;
    await using watched = await this.#start(isForeseen ? death : undefined);
    if (!isForeseen) {
      const hasShown = () => expect(watched.shown.length).toBeGreaterThan(death.changes);
      await vi.waitFor(hasShown, { timeout: READY_MS });
      watched.program.kill("SIGKILL");
    }
    await this.#died(watched, isForeseen ? death.failpoint : "at any moment");
  }

  /** Asked over the API when the replay is at its end, and dead before it could answer. */
  async dieOverStop(stop: StopCommand): Promise<void> {
    await using watched = await this.#start({ failpoint: "control.after-request", occurrence: 1 });
    await playedOut(watched.client);
    const asked = askStop(watched.client, stop);
    await expect(asked).rejects.toThrow();
    await this.#died(watched, "control.after-request");
  }

  /** Runs to the end of the replay, sees to it that the stop is carried out, and ends as told. */
  async finish(stop: StopCommand): Promise<void> {
    await using watched = await this.#start();
    const { client, program } = watched;
    await playedOut(client);
    await askStop(client, stop);
    const isStopped = async () => {
      const { items } = await client.strategies.list.query({ search: stop.name });
      expect(items.map(({ state }) => state)).toEqual(["stopped"]);
    };
    await vi.waitFor(isStopped, { timeout: READY_MS });
    program.kill("SIGTERM");
    expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
    await this.#lookAt(watched.shown);
  }

  async expectSameRows(undisturbed: ProgramLife): Promise<void> {
    expect(differences(await undisturbed.#history(), await this.#history())).toEqual([]);
  }

  #history(): Promise<History> {
    return this.#store.inspect((query) => historyOf(query, PER_REQUEST));
  }

  async #start(kill?: Kill): Promise<Watched> {
    const { signal } = this.#life;
    signal.throwIfAborted();
    const resources = new AsyncDisposableStack();
    const program = resources.use(
      startProgram("src/main.ts", ["--no-demo", "--no-table"], {
        ...this.#store.environment,
        TROUPE_PORT: "0",
        TROUPE_REPLAY_FILE: this.#life.replay,
        TROUPE_REPLAY_SPEED: SPEED,
        TROUPE_HEARTBEAT_SECONDS: "2",
        ...(kill === undefined ? {} : { TROUPE_CRASH_AT: `${kill.failpoint}:${kill.occurrence}` }),
      }),
    );
    const end = (): void => program.kill("SIGKILL");
    signal.addEventListener("abort", end, { once: true });
    resources.defer(() => signal.removeEventListener("abort", end));
    const isServing = () => expect(program.stdout).toMatch(/API at \S+,/);
    await vi.waitFor(isServing, { timeout: READY_MS });
    const client = connect(/API at (\S+),/.exec(program.stdout)?.[1] ?? "", resources);
    const shown: Shown[] = [];
    const watching = client.strategies.onChange.subscribe(
      {},
      { onData: ({ data }) => shown.push(...data) },
    );
    resources.defer(() => watching.unsubscribe());
    return { program, client, shown, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  }

  async #died({ program, shown }: Watched, where: string): Promise<void> {
    expect(await program.ended, `no death ${where}`).toMatchObject({ code: null, stderr: "" });
    const death = this.#table.add(`npm start: ${where}`, this.#store.kind);
    death.leftOpen = (await this.#lookAt(shown)) > 0;
    death.recovered = true;
  }

  /**
   * All invariants; nothing that was stored before is lost, nothing shown is ahead of what is stored.
   * Returns how many ticks are under way.
   */
  async #lookAt(shown: readonly Shown[]): Promise<number> {
    await this.#store.settled();
    const before = new Map(this.#committed.map((actor) => [actor.id, actor]));
    return this.#store.inspect(async (query) => {
      expect(await violations(query)).toEqual([]);
      expect(await unaccounted(query)).toEqual([]);
      this.#committed = await committedActors(query);
      const views = await query(
        "select strategy_id, cycle_index, total_value, cash from strategy_portfolio_views",
      );
      const stored = new Map(
        views.map((row) => [
          `${String(row["strategy_id"])} ${String(row["cycle_index"])}`,
          { totalValue: plain(row["total_value"]), cash: plain(row["cash"]) },
        ]),
      );
      for (const { strategyId, cycleIndex, totalValue, cash } of shown) {
        const atLeast = before.get(strategyId)?.cycleIndex ?? 0;
        expect(cycleIndex, `what is shown of ${strategyId}`).toBeGreaterThanOrEqual(atLeast);
        if (cycleIndex === 0) continue;
        const money = { totalValue: plain(totalValue), cash: plain(cash) };
        expect(money).toEqual(stored.get(`${strategyId} ${cycleIndex}`));
      }
      const open = await query("select 1 from ticks where status in ('pending', 'running')");
      return open.length;
    });
  }
}

async function askStop(client: ApiClient, { name, commandId }: StopCommand): Promise<void> {
  const { items } = await client.strategies.list.query({ search: name });
  const strategyId = items[0]?.id ?? "";
  await client.strategies.stop.mutate({ strategyId, commandId, reason: "asked by the test" });
}

async function playedOut(client: ApiClient): Promise<void> {
  const isPlayed = async () => {
    const { market, queues } = await client.engine.status.query();
    expect({ finished: market.finished, ...queues?.shards }).toMatchObject({
      finished: true,
      queued: 0,
      active: 0,
    });
  };
  await vi.waitFor(isPlayed, { timeout: READY_MS, interval: 200 });
}
