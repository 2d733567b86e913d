// The real thing beside the model: one database, a desk that takes requests and never fails, and
// engines that come, leave, die and freeze.
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createWorkQueue } from "#adapters/pg-boss-queue.ts";
import { systemTimer } from "#adapters/system-timer.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import type { Definition } from "#domain/definition.ts";
import { upsertDefinition } from "#persistence/repositories/definitions.repository.ts";
import type { Failpoint } from "#ports/failpoints.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { createServices, type Services } from "#services/services.ts";
import { EngineFixture, HandClock, PERIOD_MS, scriptedAgent } from "#support/engine.ts";
import { openTestStore, type StoreKind, type TestStore } from "#support/test-store.ts";
import { openLifeline, type Lifeline } from "./lifeline.ts";
import { decideByScript, RecordedFeed, SYMBOLS } from "./script.ts";
import type { Market } from "./money-model.ts";

const SHARD_SIZE = 2;
const CHANNELS = { spot: "binance_spot", perpetual: "binance_perp" } as const;

/** What befalls an engine when it passes a failpoint for the n-th time from now on. */
export interface Fate {
  failpoint: Failpoint;
  occurrence: number;
  what: "crash" | "freeze";
}

interface Node {
  fixture: EngineFixture;
  lifeline: Lifeline;
  fate: Fate | null;
  isDead: boolean;
  isFrozen: boolean;
}

export class World implements AsyncDisposable {
  readonly kind: StoreKind;
  readonly store: TestStore;
  readonly services: Services;
  readonly #clock = new HandClock(true);
  readonly #feed = new RecordedFeed();
  readonly #definitions: Record<Market, Definition>;
  readonly #queue: WorkQueue;
  readonly #nodes = new Map<string, Node>();
  readonly #buried: Promise<void>[] = [];

  private constructor(
    store: TestStore,
    desk: { services: Services; queue: WorkQueue },
    definitions: Record<Market, Definition>,
  ) {
    this.kind = store.database.kind;
    this.store = store;
    this.services = desk.services;
    this.#queue = desk.queue;
    this.#definitions = definitions;
    this.services.onChange(() => {
      for (const { fixture, isDead } of this.#nodes.values()) if (!isDead) fixture.engine.nudge();
    });
  }

  static async open(kind: StoreKind): Promise<World> {
    const store = await openTestStore(kind);
    const queue = createWorkQueue({ database: queueDatabaseOf(store), logger: silent });
    await queue.start();
    const services = createServices({
      database: store.database,
      queue,
      decisions: createDecisionRegistry([scriptedAgent("scripted", decideByScript)]),
      channels: createChannelRegistry(),
      shardSize: SHARD_SIZE,
      timer: systemTimer,
    });
    const definitions = {
      spot: await define(store, "spot"),
      perpetual: await define(store, "perpetual"),
    };
    return new World(store, { services, queue }, definitions);
  }

  definition(market: Market): Definition {
    return this.#definitions[market];
  }

  step(): void {
    this.#clock.step();
  }

  async start(name: string): Promise<void> {
    const lifeline = await openLifeline(this.store);
    const options = {
      decisions: { scripted: decideByScript },
      shardSize: SHARD_SIZE,
      failpoint: (failpoint: Failpoint) => this.#failpoint(name, failpoint),
    };
    const moved = { clock: this.#clock, feed: this.#feed };
    const fixture = new EngineFixture(lifeline.store, options, moved);
    this.#nodes.set(name, { fixture, lifeline, fate: null, isDead: false, isFrozen: false });
    await fixture.engine.start();
  }

  /** As at SIGTERM. */
  async leave(name: string): Promise<void> {
    const node = this.#node(name);
    await node.fixture.stop();
    this.#nodes.delete(name);
    await node.lifeline[Symbol.asyncDispose]();
  }

  /** It comes about once: the first of them that gets there. */
  doom(names: readonly string[], fate: Fate): void {
    for (const name of names) this.#node(name).fate = fate;
  }

  spare(names: readonly string[]): void {
    for (const name of names) this.#node(name).fate = null;
  }

  /** Has its fate come about? */
  hasMetFate(name: string): boolean {
    const { isDead, isFrozen } = this.#node(name);
    return isDead || isFrozen;
  }

  /** No shutdown, no last word: its connections end, its memory is never used again. */
  crash(name: string): void {
    const node = this.#node(name);
    this.#die(node);
    this.#nodes.delete(name);
    // What is left of it is swept up: it can reach nothing any more.
    const sweep = node.fixture.stop().then(() => node.lifeline[Symbol.asyncDispose]());
    this.#buried.push(sweep.catch(() => undefined));
  }

  freeze(name: string): void {
    const node = this.#node(name);
    node.isFrozen = true;
    node.lifeline.freeze();
  }

  async thaw(name: string): Promise<void> {
    const node = this.#node(name);
    node.isFrozen = false;
    node.fate = null;
    await node.lifeline.thaw();
  }

  /** The time that would pass until claims of the dead and the frozen are given to others. */
  async letClaimsExpire(): Promise<void> {
    await this.rows(
      "update pgboss.job set heartbeat_on = now() - interval '1 hour' where state = 'active'",
    );
  }

  /** The pause after a failed delivery is over. */
  async letRetriesCome(): Promise<void> {
    await this.rows(
      "update pgboss.job set start_after = now() where state = 'retry' and start_after > now()",
    );
  }

  async rows(statement: string, params: readonly unknown[] = []) {
    return (await this.store.database.sql.rows(statement, params)).map((row) => ({ ...row }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#nodes.keys()]) this.crash(name);
    await Promise.all(this.#buried);
    await this.#queue.stop(0);
    await this.store[Symbol.asyncDispose]();
  }

  #failpoint(name: string, failpoint: Failpoint): void {
    const node = this.#nodes.get(name);
    if (node?.fate?.failpoint !== failpoint) return;
    node.fate.occurrence -= 1;
    if (node.fate.occurrence !== 0) return;
    if (node.fate.what === "crash") this.#die(node);
    else this.freeze(name);
    node.fate = null;
  }

  #die(node: Node): void {
    node.isDead = true;
    node.lifeline.cut();
  }

  #node(name: string): Node {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`no engine ${name}`);
    return node;
  }
}

function define({ database }: TestStore, market: Market): Promise<Definition> {
  return upsertDefinition(database, {
    name: market,
    displayName: market,
    description: "",
    philosophy: "",
    decisionAgent: "scripted",
    agents: [{ name: "ta", required: true, weight: 1 }],
    tradeChannel: CHANNELS[market],
    symbols: [...SYMBOLS],
    periodMinutes: PERIOD_MS / 60_000,
    defaultParams: {},
    catchUp: "one",
    isActive: true,
  });
}

function queueDatabaseOf({ database, url }: TestStore) {
  return database.pglite === undefined
    ? ({ kind: "postgres", connection: { connectionString: url ?? "" } } as const)
    : ({ kind: "pglite", client: database.pglite } as const);
}

const silent = { warn: () => undefined, error: () => undefined };
