// What must be true of strategies whatever happens to engines: no queue, no shards' versions, no
// transactions, only wishes, ticks and money.
import { FIRST_TICK, PERIOD_MS } from "#support/engine.ts";
import {
  closeAll,
  isFlat,
  newMoney,
  trade,
  worthAt,
  type Market,
  type Money,
} from "./money-model.ts";
import { wishesOf, type Manner } from "./script.ts";

export const BALANCE = "10000";

export interface CycleLine {
  cause: "tick" | "stop";
  status: "completed" | "failed";
  tickAt: number | null;
  paramsVersion: number;
  cash: string;
  totalValue: string;
}

export interface ModelStrategy {
  id: string;
  market: Market;
  shardId: string;
  manner: Manner;
  paramsVersion: number;
  desired: "running" | "stopped";
  state: "running" | "stopped" | "cancelled";
  stopReason: "normal_exit" | "cancelled" | null;
  /** Asked for and not carried out: whether to close what is held. */
  stopping: boolean | null;
  turn: number;
  lastTickAt: number;
  money: Money;
  unrealized: string;
  totalValue: string;
  cycles: CycleLine[];
}

/** A tick that an engine died over: not analysed yet, or handed to shards which have not settled it. */
export type OpenTick = { at: number; shards: string[] | null } | null;

export interface ModelNode {
  isFrozen: boolean;
  /** Others were there while it was: they may have worked on a shard after it did. */
  hadCompany: boolean;
}

/** Plain, so that a test can copy it and go on with the copy. */
export interface ModelState {
  now: number;
  /** By name, in the order they came. */
  nodes: Record<string, ModelNode>;
  joined: number;
  strategies: ModelStrategy[];
  markets: Record<Market, { lastTickAt: number; open: OpenTick }>;
}

export type Outcome = "requested" | "unchanged" | "INVALID_TRANSITION";

export const MARKETS: readonly Market[] = ["spot", "perpetual"];

export class WorldModel {
  state: ModelState = {
    now: FIRST_TICK - PERIOD_MS / 2,
    nodes: {},
    joined: 0,
    strategies: [],
    markets: { spot: { lastTickAt: 0, open: null }, perpetual: { lastTickAt: 0, open: null } },
  };

  copy(): WorldModel {
    const copy = new WorldModel();
    copy.state = structuredClone(this.state);
    return copy;
  }

  /** Engines that can work. */
  get active(): string[] {
    return Object.keys(this.state.nodes).filter((name) => !this.state.nodes[name]?.isFrozen);
  }

  get frozen(): string[] {
    return Object.keys(this.state.nodes).filter((name) => this.state.nodes[name]?.isFrozen);
  }

  /** The new engine's name. */
  join(): string {
    this.state.joined += 1;
    const name = `engine ${this.state.joined}`;
    const others = Object.values(this.state.nodes);
    for (const other of others) other.hadCompany = true;
    this.state.nodes[name] = { isFrozen: false, hadCompany: others.length > 0 };
    return name;
  }

  lose(name: string): void {
    delete this.state.nodes[name];
  }

  freeze(name: string): void {
    const node = this.state.nodes[name];
    if (node !== undefined) node.isFrozen = true;
  }

  thaw(name: string): void {
    const node = this.state.nodes[name];
    if (node !== undefined) node.isFrozen = false;
  }

  create(made: Pick<ModelStrategy, "id" | "shardId" | "market" | "manner">): void {
    this.state.strategies.push({
      ...made,
      ...{ paramsVersion: 1, desired: "running", state: "running", stopReason: null },
      ...{ stopping: null, turn: 0, lastTickAt: 0, cycles: [] },
      ...{ money: newMoney(made.market, BALANCE), unrealized: "0", totalValue: BALANCE },
    });
  }

  edit(strategy: ModelStrategy, manner: Manner): void {
    strategy.manner = manner;
    strategy.paramsVersion += 1;
  }

  askStop(strategy: ModelStrategy, close: boolean): Outcome {
    if (strategy.state === "stopped" && strategy.desired === "stopped") return "unchanged";
    strategy.desired = "stopped";
    strategy.stopping = close;
    return "requested";
  }

  askResume(strategy: ModelStrategy): Outcome {
    if (strategy.desired === "running") return "unchanged";
    if (strategy.state !== "stopped") return "INVALID_TRANSITION";
    strategy.desired = "running";
    return "requested";
  }

  step(): void {
    this.state.now = (Math.floor(this.state.now / PERIOD_MS) + 1) * PERIOD_MS;
  }

  /**
   * A planned end. Positions stay as they are; who stays has everybody run on. The last to leave marks
   * everybody cancelled, save those of shards another engine has worked on since: `unmarked`.
   */
  leave(name: string, unmarked: ReadonlySet<string>): void {
    const hadCompany = this.state.nodes[name]?.hadCompany ?? false;
    delete this.state.nodes[name];
    if (this.active.length > 0) return;
    for (const strategy of this.state.strategies) {
      if (hadCompany && unmarked.has(strategy.id)) continue;
      if (strategy.state === "running") this.#become(strategy, "cancelled", "cancelled");
    }
  }

  /** What any engine at work brings about in the end: interrupted ticks, wishes, ticks that are due. */
  settle(): void {
    if (this.active.length === 0) return;
    for (const strategy of this.state.strategies) {
      if (strategy.state === "cancelled" && strategy.desired === "running") {
        this.#become(strategy, "running", null);
      }
    }
    for (const market of MARKETS) this.#finishHandedOut(market);
    for (const strategy of this.state.strategies) this.reconcile(strategy);
    for (const market of MARKETS) {
      this.#finishPending(market);
      this.#tickIfDue(market);
    }
  }

  /** Carries out what its owner wants. */
  reconcile(strategy: ModelStrategy): void {
    if (strategy.desired === "running") {
      if (strategy.state !== "running") this.#become(strategy, "running", null);
      strategy.stopping = null;
    } else if (strategy.stopping !== null) {
      if (strategy.state !== "stopped") this.#stop(strategy, strategy.stopping);
      strategy.stopping = null;
    }
  }

  /** One strategy's cycle for a tick, if it wants one. */
  tick(strategy: ModelStrategy, at: number): void {
    if (strategy.desired !== "running" || strategy.state === "stopped") return;
    if (strategy.lastTickAt >= at) return;
    this.#become(strategy, "running", null);
    strategy.lastTickAt = at;
    const wishes = wishesOf(strategy.manner, strategy.turn, at);
    if (wishes !== null) {
      strategy.turn += 1;
      trade(strategy.money, wishes, at);
    }
    this.#record(strategy, { tickAt: at, at, status: wishes === null ? "failed" : "completed" });
  }

  isWanted(market: Market): boolean {
    return this.#of(market).some(({ desired }) => desired === "running");
  }

  #of(market: Market): ModelStrategy[] {
    return this.state.strategies.filter((strategy) => strategy.market === market);
  }

  #finishHandedOut(market: Market): void {
    const { open } = this.state.markets[market];
    if (open === null || open.shards === null) return;
    for (const strategy of this.#of(market)) {
      if (open.shards.includes(strategy.shardId)) this.tick(strategy, open.at);
    }
    this.state.markets[market].open = null;
  }

  #finishPending(market: Market): void {
    const { open } = this.state.markets[market];
    if (open === null) return;
    for (const strategy of this.#of(market)) this.tick(strategy, open.at);
    this.state.markets[market].open = null;
  }

  #tickIfDue(market: Market): void {
    const { now } = this.state;
    const definition = this.state.markets[market];
    if (now < FIRST_TICK || definition.lastTickAt >= now || !this.isWanted(market)) return;
    definition.lastTickAt = now;
    for (const strategy of this.#of(market)) this.tick(strategy, now);
  }

  #stop(strategy: ModelStrategy, close: boolean): void {
    const closes = close && !isFlat(strategy.money);
    if (closes) closeAll(strategy.money, this.state.now);
    this.#become(strategy, "stopped", "normal_exit");
    if (closes) this.#record(strategy, { tickAt: null, at: this.state.now, status: "completed" });
  }

  #become(
    strategy: ModelStrategy,
    state: ModelStrategy["state"],
    stopReason: ModelStrategy["stopReason"],
  ): void {
    Object.assign(strategy, { state, stopReason });
  }

  #record(
    strategy: ModelStrategy,
    { at, ...line }: { tickAt: number | null; at: number; status: CycleLine["status"] },
  ): void {
    Object.assign(strategy, worthAt(strategy.money, at));
    const { cycles, money, paramsVersion, totalValue } = strategy;
    const cause = line.tickAt === null ? "stop" : "tick";
    cycles.push({ ...line, cause, paramsVersion, cash: money.cash, totalValue });
  }
}
