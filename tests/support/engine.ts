// A whole engine in this process, on a real database, with time and prices that the test moves by hand
// and agents that do what the test says. Nothing of the engine itself is replaced.
import { vi } from "vitest";
import { z } from "zod";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createWorkQueue } from "#adapters/pg-boss-queue.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createAgentRegistry } from "#agents/registry.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import type { AgentReading } from "#domain/analysis.ts";
import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { Definition } from "#domain/definition.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Quote } from "#domain/market.ts";
import { noFailpoints, type OnFailpoint } from "#ports/failpoints.ts";
import { DEFAULT_SETTINGS, type EngineSettings } from "#engine/dependencies.ts";
import { Engine, type RecoveryReport } from "#engine/engine.ts";
import type { StoredMachine } from "#machines/registry.ts";
import { upsertDefinition } from "#persistence/repositories/definitions.repository.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { createJournal } from "#persistence/hot/journal.ts";
import type { AgentContext, BusinessAgent } from "#ports/business-agent.ts";
import type { Clock } from "#ports/clock.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import { unwatched } from "#ports/database-watch.ts";
import type { MarketFeed } from "#ports/market-feed.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import { createServices, type Services } from "#services/services.ts";
import { observeMarket } from "#tools/observe-market.ts";
import type { TestStore } from "./test-store.ts";

export const SYMBOL = "BTC/USDT";
export const PERIOD_MS = 10 * 60_000;
/** The boundary that the first step reaches. */
export const FIRST_TICK = Date.UTC(2024, 0, 1);

export type Params = z.infer<typeof paramsSchema>;
export type Decide = (input: DecisionInput<Params>) => Decision | Promise<Decision>;

/** `role` is how a test tells its strategies apart inside a decision. */
const paramsSchema = z.looseObject({ role: z.string().default("steady") });

export interface EngineOptions {
  /** Decision agents by name; `steady` is always there. */
  decisions?: Readonly<Record<string, Decide>>;
  agents?: readonly BusinessAgent[];
  channels?: readonly TradeChannel[];
  settings?: Partial<EngineSettings>;
  /** Most members of one shard. */
  shardSize?: number;
  /** False: ticks overlap when the engine is slow, as with the system's clock. */
  lockstep?: boolean;
  failpoint?: OnFailpoint;
  /** Time that the test does not move by `tick`. */
  clock?: Clock;
  /** A version of the snapshots that is not the product's. */
  stored?: StoredMachine;
}

export type NewDefinition = Partial<Omit<Definition, "id" | "version">>;

/** Time that stands still until the test moves it. */
export class HandClock implements Clock {
  readonly simulated: boolean;
  #now = FIRST_TICK - PERIOD_MS / 2;
  #sleepers: { instant: number; wake(): void }[] = [];

  constructor(simulated: boolean) {
    this.simulated = simulated;
  }

  now(): number {
    return this.#now;
  }

  /** Moves to the next period boundary, or by so many of them. */
  step(periods = 1): number {
    this.moveTo((Math.floor(this.#now / PERIOD_MS) + periods) * PERIOD_MS);
    return this.#now;
  }

  moveTo(instant: number): void {
    this.#now = Math.max(this.#now, instant);
    const due = this.#sleepers.filter((sleeper) => sleeper.instant <= this.#now);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.instant > this.#now);
    for (const sleeper of due) sleeper.wake();
  }

  observe(instant: number): void {
    this.moveTo(instant);
  }

  sleepUntil(instant: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || instant <= this.#now) return Promise.resolve();
    return new Promise((resolve) => {
      this.#sleepers.push({ instant, wake: resolve });
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

/** Prices as the test sets them, fresh at every instant; a symbol without one has none. */
export class HandFeed implements MarketFeed {
  readonly name = "hand";
  readonly range = null;
  /** Base currency traded in each bar; null: not known. */
  volume: string | null = "100000";
  readonly #prices = new Map([[SYMBOL, "100"]]);

  get symbols(): string[] {
    return [...this.#prices.keys()];
  }

  set(symbol: string, price: string): void {
    this.#prices.set(symbol, price);
  }

  remove(symbol: string): void {
    this.#prices.delete(symbol);
  }

  async quote(symbol: string, at: number): Promise<Quote | null> {
    const price = this.#prices.get(symbol);
    if (price === undefined) return null;
    const range = { low: price, high: price, barVolume: this.volume };
    return { symbol, price, at, quality: "fresh", source: "hand", ...range };
  }

  async candles() {
    return [];
  }

  stepMs(): null {
    return null;
  }

  async funding() {
    return [];
  }
}

/** One running engine with its services; several may share a store. */
export class EngineFixture implements AsyncDisposable {
  readonly engine: Engine;
  readonly services: Services;
  readonly clock: HandClock;
  readonly feed: HandFeed;
  readonly store: TestStore;
  /** What the start found. */
  recovered: RecoveryReport | null = null;
  readonly #queue;
  readonly #decides: readonly string[];
  #stopped = false;

  constructor(
    store: TestStore,
    options: EngineOptions,
    moved: { clock: HandClock; feed: HandFeed },
  ) {
    const { database, url } = store;
    this.store = store;
    this.clock = moved.clock;
    this.feed = moved.feed;
    this.#decides = Object.keys(options.decisions ?? {});
    this.#queue = createWorkQueue({
      database:
        database.pglite === undefined
          ? { kind: "postgres", connectionString: url ?? "" }
          : { kind: "pglite", client: database.pglite },
      logger: silent,
    });
    const failpoint = options.failpoint ?? noFailpoints;
    const decisions = createDecisionRegistry(
      Object.entries({ steady, ...options.decisions }).map(([name, decide]) =>
        scriptedAgent(name, decide),
      ),
    );
    const channels = createChannelRegistry(options.channels);
    this.engine = new Engine({
      clock: options.clock ?? this.clock,
      timer: systemTimer,
      store: createEngineStore(database, this.#queue, failpoint),
      journal: createJournal(database, failpoint),
      queue: this.#queue,
      channels,
      decisions,
      agents: createAgentRegistry(options.agents ?? [reader("ta")]),
      observe: (request) => observeMarket({ feed: this.feed, ...request }),
      candles: async () => [],
      logger: silent,
      failpoint,
      ...(options.stored === undefined ? {} : { stored: options.stored }),
      watch: unwatched,
      settings: {
        ...DEFAULT_SETTINGS,
        shardSlots: database.kind === "postgres" ? 4 : 1,
        drainMs: 500,
        ...options.settings,
      },
    });
    this.services = createServices({
      database,
      queue: this.#queue,
      decisions,
      channels,
      shardSize: options.shardSize ?? 10,
      failpoint,
      timer: systemTimer,
    });
    this.services.onChange(() => this.engine.nudge());
  }

  /** Whether the test brought a decision agent of that name. */
  decides(name: string): boolean {
    return this.#decides.includes(name);
  }

  /** Stores a definition; without any word it is one of one agent that ticks every ten minutes. */
  define(changes: NewDefinition = {}): Promise<Definition> {
    return upsertDefinition(this.store.database, {
      name: "test_btc",
      displayName: "Test",
      description: "",
      philosophy: "",
      decisionAgent: "steady",
      agents: [{ name: "ta", required: true, weight: 1 }],
      tradeChannel: "binance_spot",
      symbols: [SYMBOL],
      periodMinutes: PERIOD_MS / 60_000,
      defaultParams: {},
      catchUp: "one",
      isActive: true,
      ...changes,
    });
  }

  /** Creates a strategy per role; returns their ids in that order. */
  async create(
    definition: Definition,
    ...roles: readonly (string | JsonObject)[]
  ): Promise<string[]> {
    const { id: userId, email: actor } = await this.services.localUser();
    return this.services.strategies.createAll(
      definition,
      { userId, actor },
      roles.map((role) => ({
        name: typeof role === "string" ? role : "by params",
        initialBalance: "10000",
        params: typeof role === "string" ? { role } : role,
      })),
    );
  }

  /** Moves time to the next boundary and waits until all its ticks are closed. */
  async tick(): Promise<number> {
    const at = this.clock.step();
    await this.closed(at);
    return at;
  }

  /** Waits until every active definition with members has a closed tick for the boundary. */
  async closed(at: number, timeout = 10_000): Promise<void> {
    await vi.waitFor(
      async () => {
        const open = await this.rows(
          `select d.name, t.status from strategy_definitions d
           left join ticks t on t.definition_id = d.id and t.scheduled_for = $1::timestamptz
           where d.is_active and exists (
             select 1 from strategies s where s.strategy_definition_id = d.id
               and s.desired_status = 'running' and s.archived_at is null)
             and (t.status is null or t.status in ('pending', 'running'))`,
          [new Date(at).toISOString()],
        );
        if (open.length > 0) throw new Error(`not closed: ${JSON.stringify(open)}`);
      },
      { timeout, interval: 10 },
    );
  }

  async stopStrategy(strategyId: string, closePositions: boolean): Promise<void> {
    await this.askStop(strategyId, closePositions);
    await this.until(strategyId, "stopped");
  }

  async askStop(strategyId: string, closePositions: boolean): Promise<void> {
    const request = { closePositions, reason: "asked by the test", actor: "test" };
    await this.services.strategies.stop(strategyId, request);
  }

  async resumeStrategy(strategyId: string): Promise<void> {
    await this.services.strategies.resume(strategyId, { actor: "test" });
    await this.until(strategyId, "running");
  }

  /** Waits for a stored state. */
  async until(strategyId: string, state: string): Promise<void> {
    await vi.waitFor(
      async () => {
        const found = (await this.strategy(strategyId))["state"];
        if (found !== state) throw new Error(`expected ${state}, was ${String(found)}`);
      },
      { timeout: 10_000, interval: 10 },
    );
  }

  async strategy(strategyId: string): Promise<Record<string, unknown>> {
    const [row] = await this.rows("select * from strategies where id = $1", [strategyId]);
    if (row === undefined) throw new Error(`no strategy ${strategyId}`);
    return row;
  }

  /** Its cycles, oldest first. */
  cycles(strategyId: string): Promise<Record<string, unknown>[]> {
    return this.rows(
      `select c.*, t.scheduled_for from strategy_compose_cycles c
       left join ticks t on t.id = c.tick_id
       where c.strategy_id = $1 order by c.cycle_index`,
      [strategyId],
    );
  }

  /** How many cycles each of the strategies has. */
  async counts(...strategyIds: readonly string[]): Promise<number[]> {
    return Promise.all(strategyIds.map(async (id) => (await this.cycles(id)).length));
  }

  async ticks(): Promise<Record<string, unknown>[]> {
    return this.rows("select * from ticks order by scheduled_for, definition_id");
  }

  alerts(): Promise<Record<string, unknown>[]> {
    return this.rows(
      "select kind, severity, subject, occurrences, detail from alerts order by kind",
    );
  }

  async rows(
    statement: string,
    params: readonly unknown[] = [],
  ): Promise<Record<string, unknown>[]> {
    return (await this.store.database.sql.rows(statement, params)).map((row) => ({ ...row }));
  }

  /** Leaves in good order, as at SIGTERM. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.engine.stop("the test ends");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A started engine. `after` continues the time and prices of an earlier one. */
export async function startEngine(
  store: TestStore,
  options: EngineOptions = {},
  after?: EngineFixture,
): Promise<EngineFixture> {
  const clock = after?.clock ?? new HandClock(options.lockstep ?? true);
  const feed = after?.feed ?? new HandFeed();
  const fixture = new EngineFixture(store, options, { clock, feed });
  fixture.recovered = await fixture.engine.start();
  return fixture;
}

/** Empties the database for the next test. */
export async function wipe({ database }: TestStore): Promise<void> {
  await database.sql.run(
    "truncate strategy_definitions, strategies, shards, ticks, alerts, audit_log cascade",
  );
  await database.sql.run("delete from pgboss.job");
}

/** Buys once and holds. */
const steady: Decide = (input) => (input.portfolio.holdings.length === 0 ? buy("1") : hold());

export function hold(changes: Partial<Decision> = {}): Decision {
  return {
    signal: "HOLD",
    items: [],
    rationale: "nothing to do",
    warnings: [],
    details: {},
    state: null,
    ...changes,
  };
}

export function buy(quantity: string, changes: Partial<Decision> = {}): Decision {
  return hold({
    signal: "BUY",
    items: [{ symbol: SYMBOL, action: "open_long", quantity }],
    rationale: "time to buy",
    ...changes,
  });
}

const reading: AgentReading = {
  signal: "NEUTRAL",
  confidence: 0.5,
  score: 0,
  reasoning: "as the test says",
  data: {},
  provenance: [],
};

/** An agent that answers at once, or as it is told. */
export function reader(
  name: string,
  run: (context: AgentContext) => Promise<AgentReading> = async () => reading,
): BusinessAgent {
  return { name, displayName: name, description: "", tools: [], run };
}

/** A decision agent that does what the test says. */
export function scriptedAgent(name: string, decide: Decide): DecisionAgent {
  const agent: DecisionAgent<Params> = {
    name,
    displayName: name,
    description: "",
    // What was read for one agent is not what another would have read.
    paramsSchema: paramsSchema.transform((params) => ({ ...params, readBy: name })),
    decide,
  };
  return agent;
}

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
