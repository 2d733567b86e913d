import type { JsonObject } from "#domain/json.ts";
import type { Candle } from "#domain/market.ts";
import type { StoredMachine } from "#machines/registry.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";
import type { Clock, Timer } from "#ports/clock.ts";
import type { DatabaseWatch } from "#ports/database-watch.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import type { Logger } from "#ports/logger.ts";
import type { BarRequest, MarketFeed, ObserveMarket } from "#ports/market-feed.ts";
import type { EngineStore, Journal } from "#ports/store.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import type { Outbox, WorkQueue } from "#ports/work-queue.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type { ShardListener, ShardRunner } from "./shard/shard-runner.ts";
import type { LiveStore } from "./live/live-store.ts";
import type { OrderDesk } from "./orders/order-desk.ts";
import type { StrategyLogic } from "./strategy/resident.ts";

/** Things found by the name a definition gives them; `get` throws a typed error for unknown names. */
export interface Named<T> {
  get(name: string): T;
}

export interface Decisions extends Named<DecisionAgent> {
  /** Defaults merged in, validated. @throws InvalidInputError INVALID_PARAMS */
  parseParams(name: string, params: JsonObject, definitionDefaults?: JsonObject): unknown;
}

export interface EngineSettings {
  /** Shards worked on at a time by this node: 4 on PostgreSQL, more with threads, 1 on PGlite. */
  shardSlots: number;
  agentTimeoutMs: number;
  /** How long one look at the market may take. */
  marketTimeoutMs: number;
  decisionTimeoutMs: number;
  /** Real time a tick may take from its fan-out before missing shards are given up. */
  tickDeadlineMs: number;
  /** How long a shutdown waits for work under way. */
  drainMs: number;
  orders: OrderSettings;
}

/** How live orders are looked after. Real time, ms. */
export interface OrderSettings {
  /** How long one call to a venue may take before its outcome counts as unknown. */
  answerMs: number;
  /** The pause between two questions about an order; it doubles while nothing happens … */
  askEveryMs: number;
  /** … up to this. */
  askAtLeastEveryMs: number;
  /** So long "not found" is not believed: afterwards the order is sent once more. */
  notFoundMs: number;
  /** So long after its commit an order is sent without asking whose it is. */
  sendWithinMs: number;
  /** So long nobody may be able to say what became of an order before somebody is told. */
  unknownMs: number;
}

export const DEFAULT_SETTINGS: EngineSettings = {
  shardSlots: 4,
  agentTimeoutMs: 60_000,
  marketTimeoutMs: 10_000,
  decisionTimeoutMs: 30_000,
  tickDeadlineMs: 5 * 60_000,
  drainMs: 5_000,
  orders: {
    answerMs: 10_000,
    askEveryMs: 500,
    askAtLeastEveryMs: 15_000,
    notFoundMs: 15_000,
    sendWithinMs: 3_000,
    unknownMs: 30_000,
  },
};

/** What the engine is built from; `main` puts adapters behind these. */
export interface EnginePorts {
  clock: Clock;
  timer: Timer;
  store: EngineStore;
  journal: Journal;
  queue: WorkQueue;
  channels: Named<TradeChannel>;
  decisions: Decisions;
  agents: Named<BusinessAgent>;
  observe: ObserveMarket;
  /** Bars of a template's timeframe, oldest first. */
  bars(request: BarRequest): Promise<Candle[]>;
  /** Which symbols there are, and how often there is news of them. */
  feed: Pick<MarketFeed, "symbols" | "stepMs">;
  logger: Logger;
  watch: DatabaseWatch;
  failpoint: OnFailpoint;
  settings: EngineSettings;
  /** How strategies are stored; the product's own unless a test looks at a version to come. */
  stored?: StoredMachine;
  /** Threads for the shards, which tell `listener` what they do; null: they share this one. */
  threads?: (listener: ShardListener) => ShardRunner | null;
}

/** The ports and what is shown of the strategies. */
export interface EngineDependencies extends EnginePorts {
  live: LiveStore;
}

/** What work on shards takes from outside; the same in the engine's own thread and in others. */
export interface ShardPorts extends Pick<
  EnginePorts,
  | "channels"
  | "decisions"
  | "failpoint"
  | "journal"
  | "logger"
  | "observe"
  | "settings"
  | "stored"
  | "timer"
> {
  clock: Pick<Clock, "now" | "observe">;
  store: Pick<
    EngineStore,
    | "actors"
    | "definition"
    | "dismiss"
    | "isolate"
    | "members"
    | "raiseAlert"
    | "shardHead"
    | "tickInput"
  >;
  /** Stores messages for shards. */
  outbox: Outbox;
}

/** … and what the shards of one thread share. */
export interface ShardDependencies extends ShardPorts, ShardListener {
  logic: StrategyLogic;
  orders: OrderDesk;
}
