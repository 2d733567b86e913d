// One database and one exchange through any number of deaths of the engine, and some of the exchange; at
// the end, the exchange's book against the rows.
import { expect, vi } from "vitest";
import type { Failpoint } from "#ports/failpoints.ts";
import type { Behaviour, Delivery, TradeCall } from "#support/exchange/messages.ts";
import { disagreements } from "#support/exchange/reconciliation.ts";
import { startExchange, type TestExchange } from "#support/exchange/test-exchange.ts";
import { violations } from "#support/invariants.ts";
import { type Ended, type RunningProgram, startProgram } from "#support/processes.ts";
import type { CrashStore } from "./crash-stores.ts";
import type { Death, KillTable } from "./kill-table.ts";
import * as cast from "./live-cast.ts";

const PROGRAM = "tests/crash/support/live-process.ts";
const READY_MS = 120_000;
/** A process that neither dies nor ends in so much time hangs, however busy the machine. */
const LIMIT_MS = 300_000;
/** Ticks per second: some meet orders that are still out. */
const SPEED = "20";

/** What the engine process tells its parent, one per line. */
export type LiveReport =
  | { event: "opened"; violations: string[]; ordersOut: number }
  | { event: "restored" }
  | { event: "finished" };

/** At a failpoint, or some time after the process has restored its actors. */
export type LiveKill = { failpoint: Failpoint; occurrence: number } | { ms: number };

export interface LiveLifeOptions {
  table: KillTable;
  /** Ends it, with the process that runs. */
  signal: AbortSignal;
  replay: string;
  random: () => number;
}

export class LiveLife implements AsyncDisposable {
  readonly #store: CrashStore;
  readonly #exchange: TestExchange;
  readonly #options: LiveLifeOptions;
  readonly #upkeep: Promise<void>;
  #isOver = false;
  #newest: Death | null = null;
  #companion: RunningProgram | null = null;

  constructor(store: CrashStore, exchange: TestExchange, options: LiveLifeOptions) {
    this.#store = store;
    this.#exchange = exchange;
    this.#options = options;
    this.#upkeep = this.#keepUp();
  }

  async die(kill: LiveKill): Promise<void> {
    await this.#misbehave();
    const isForeseen = "failpoint" in kill;
    const at = isForeseen ? { TROUPE_CRASH_AT: `${kill.failpoint}:${kill.occurrence}` } : {};
    await using program = this.#start("work", at);
    if (!isForeseen) {
      await heard(program, "restored");
      setTimeout(() => program.kill("SIGKILL"), kill.ms);
    }
    const where = isForeseen ? `${kill.failpoint}:${kill.occurrence}` : "at any moment";
    const { code, stderr } = await this.#ended(program, where);
    expect(code, `it ended by itself instead of ${where}: ${stderr}`).toBeNull();
    expect(stderr).toBe("");
    this.#lookAt(program);
    const place = isForeseen ? kill.failpoint : where;
    this.#newest = this.#options.table.add(place, this.#store.kind);
    if (this.#companion === null) await this.#store.settled();
  }

  /**
   * Starts an engine beside those that are killed, which takes over what they leave; the one before it
   * is killed. PostgreSQL only.
   */
  async replaceCompanion(): Promise<void> {
    await this.#companion?.[Symbol.asyncDispose]();
    this.#companion = this.#start("work");
    await heard(this.#companion, "restored");
  }

  async dismissCompanion(): Promise<void> {
    await this.#companion?.[Symbol.asyncDispose]();
    this.#companion = null;
    await this.#store.settled();
  }

  /** A good day on which everybody is stopped, and nothing is left to wait for. */
  async settle(): Promise<void> {
    await this.#tell(() => this.#behaveWell());
    await using program = this.#start("settle");
    const ended = await this.#ended(program, "the end");
    expect(ended, ended.stderr).toMatchObject({ code: 0, stderr: "" });
    this.#lookAt(program);
    await this.#store.settled();
  }

  /** The exchange's book and the rows say the same, and enough has happened to say so. */
  async expectAgreement(): Promise<void> {
    const book = await this.#exchange.book();
    await this.#store.inspect(async (query) => {
      expect(await violations(query)).toEqual([]);
      expect(await disagreements(book, query)).toEqual([]);
    });
    expect(book.orders.length).toBeGreaterThan(cast.MEMBERS.length);
    const fills = book.orders.reduce((sum, order) => sum + order.fills.length, 0);
    process.stdout.write(`${book.orders.length} orders with ${fills} fills agree\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#companion?.[Symbol.asyncDispose]();
    await this.#exchange.die();
    await this.#upkeep;
    await this.#exchange[Symbol.asyncDispose]();
  }

  #start(mode: "work" | "settle", environment: Record<string, string> = {}): RunningProgram {
    const { replay, signal } = this.#options;
    signal.throwIfAborted();
    return startLive(mode, this.#exchange, {
      ...this.#store.environment,
      ...environment,
      TROUPE_REPLAY_FILE: replay,
    });
  }

  /** @throws when it hangs, or the test's time is up */
  async #ended(program: RunningProgram, before: string): Promise<Ended> {
    const { signal } = this.#options;
    const timeout = AbortSignal.timeout(LIMIT_MS);
    const kill = (): void => program.kill("SIGKILL");
    const either = AbortSignal.any([signal, timeout]);
    either.addEventListener("abort", kill, { once: true });
    const ended = await program.ended;
    either.removeEventListener("abort", kill);
    signal.throwIfAborted();
    expect(timeout.aborted, `hung before ${before}: ${ended.stdout}`).toBe(false);
    return ended;
  }

  /** What the process found that came after the dead one. */
  #lookAt(program: RunningProgram): void {
    const opened = reportsOf(program).find((report) => report.event === "opened");
    expect(opened, "it did not open its database").toBeDefined();
    if (opened?.event !== "opened") return;
    expect(opened.violations).toEqual([]);
    if (this.#newest === null) return;
    this.#newest.recovered = true;
    this.#newest.leftOpen = opened.ordersOut > 0;
  }

  /** The next calls on every account go wrong in many ways, and some go well. */
  async #misbehave(): Promise<void> {
    const { random } = this.#options;
    await this.#tell(async () => {
      await this.#exchange.tell({ call: "behaveWell" });
      await this.#exchange.tell({ call: "fillAll" });
      for (const { name } of cast.ACCOUNTS) {
        for (const call of ["place", "find", "cancel"] as const) {
          const as = Array.from({ length: 40 }, () => behaviour(call, random));
          await this.#exchange.behave(name, call, ...as);
        }
        await this.#exchange.tell({ call: "deliver", account: name, as: delivery(random) });
      }
    });
  }

  async #behaveWell(): Promise<void> {
    await this.#exchange.tell({ call: "behaveWell" });
    for (const { name: account } of cast.ACCOUNTS) {
      await this.#exchange.tell({ call: "deliver", account, as: "normal" });
    }
    await this.#exchange.tell({ call: "fillAll" });
  }

  /** Said again when the exchange dies over it. */
  async #tell(say: () => Promise<void>): Promise<void> {
    await vi.waitFor(say, { timeout: READY_MS, interval: 100 });
  }

  /** The exchange comes back whenever it dies, always with its book. */
  async #keepUp(): Promise<void> {
    while (!this.#isOver) {
      await this.#exchange.died();
      if (!this.#isOver) await this.#exchange.comeBack();
    }
  }
}

/** A life on an empty database: its cast is created, its accounts are opened. */
export async function beginLife(store: CrashStore, options: LiveLifeOptions): Promise<LiveLife> {
  const exchange = await startExchange();
  for (const account of cast.ACCOUNTS) await exchange.openAccount(account);
  await exchange.moveMarket(0, { [cast.SYMBOL]: "100" });
  await using program = startLive("seed", exchange, store.environment);
  expect(await program.ended).toMatchObject({ code: 0, stderr: "" });
  return new LiveLife(store, exchange, options);
}

function startLive(
  mode: "seed" | "work" | "settle",
  { url: exchangeUrl }: TestExchange,
  environment: Readonly<Record<string, string>>,
): RunningProgram {
  return startProgram(PROGRAM, [JSON.stringify({ mode, exchangeUrl })], {
    TROUPE_REPLAY_SPEED: SPEED,
    TROUPE_LOG_LEVEL: "silent",
    TROUPE_HEARTBEAT_SECONDS: "2",
    TROUPE_ENGINE_THREADS: "0",
    ...environment,
  });
}

function reportsOf({ stdout }: RunningProgram): LiveReport[] {
  // A kill may have cut the last line short.
  const whole = stdout.split("\n").slice(0, -1);
  return whole.map((line): LiveReport => JSON.parse(line));
}

async function heard(program: RunningProgram, event: LiveReport["event"]): Promise<void> {
  const hasHeard = () => expect(reportsOf(program).map((report) => report.event)).toContain(event);
  await vi.waitFor(hasHeard, { timeout: READY_MS, interval: 20 });
}

/** One in two calls goes well. */
function behaviour(call: TradeCall["call"], random: () => number): Behaviour {
  if (random() < 0.5) return {};
  const kinds = call === "place" ? placements(random) : questions(random);
  return kinds[Math.floor(random() * kinds.length)] ?? {};
}

function questions(random: () => number): Behaviour[] {
  return [
    { answer: "error" },
    { answer: "twice" },
    { answer: "never" },
    { takenAfterMs: null },
    { answerAfterMs: random() * 300 },
    { breaks: { what: "connection", when: "before" } },
    { breaks: { what: "connection", when: "after" } },
  ];
}

function placements(random: () => number): Behaviour[] {
  const some = (ms: number) => Math.floor(random() * ms);
  const parts = ["0.25", "0.5", "0.25"].map((share) => ({ share, afterMs: some(200) }));
  return [
    ...questions(random),
    // Taken when the engine has given the call up and begun to ask.
    { takenAfterMs: 400 + some(400) },
    { hidden: { finds: 1 + some(3), ms: some(400) }, answer: "never" },
    { refusal: "the market is closed" },
    { fills: parts },
    { fills: parts, answer: "never" },
    { fills: parts.slice(0, 2), expires: true },
    { fills: [{ share: "0.5", afterMs: 0 }] },
    { fills: [] },
    { breaks: { what: "process", when: random() < 0.5 ? "before" : "after" } },
  ];
}

function delivery(random: () => number): Delivery {
  const kinds: Delivery[] = ["normal", "normal", "twice", "held", "lost"];
  return random() < 0.3 ? "reversed" : (kinds[Math.floor(random() * kinds.length)] ?? "normal");
}
