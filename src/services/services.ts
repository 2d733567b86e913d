import type { Decisions, Named } from "#engine/dependencies.ts";
import type { Database } from "#persistence/database.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { ensureUser, type UserRecord } from "#persistence/repositories/users.repository.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type { Timer } from "#ports/clock.ts";
import type { DatabaseWatch } from "#ports/database-watch.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import type { WorkQueue } from "#ports/work-queue.ts";
import { replayDecision, type DecisionReplay } from "./decision-replay.ts";
import { createDefinitionService, type DefinitionService } from "./definitions.ts";
import { createHealthService, type HealthService } from "./health.ts";
import { createRetentionService, type RetentionService } from "./retention.ts";
import { createStrategyService, type StrategyService } from "./strategies.ts";
import { createStrategyReads, type StrategyReads } from "./strategy-reads.ts";

/** The use cases, as the API and the CLI call them. */
export interface Services {
  definitions: DefinitionService;
  strategies: StrategyService &
    StrategyReads & {
      /** Decides a stored cycle again and compares (I15). */
      replayDecision(composeId: string): Promise<DecisionReplay>;
    };
  health: HealthService;
  retention: RetentionService;
  /** The owner of what is created on this machine while nobody has to sign in. */
  localUser(): Promise<UserRecord>;
  /** Called after every stored change. */
  onChange(listener: () => void): void;
}

export interface ServiceDependencies {
  database: Database;
  queue: WorkQueue;
  decisions: Decisions;
  channels: Named<TradeChannel>;
  shardSize: number;
  watch?: DatabaseWatch;
  failpoint?: OnFailpoint;
  timer: Timer;
}

export function createServices(dependencies: ServiceDependencies): Services {
  const ticks = createEngineStore(dependencies.database, dependencies.queue);
  const listeners: (() => void)[] = [];
  const onChange = (): void => {
    for (const listener of listeners) listener();
  };
  return {
    definitions: createDefinitionService({ ...dependencies, onChange }),
    strategies: {
      ...createStrategyService({ ...dependencies, onChange }),
      ...createStrategyReads(dependencies),
      replayDecision: (composeId) => replayDecision({ ...dependencies, ticks }, composeId),
    },
    health: createHealthService(dependencies),
    retention: createRetentionService(dependencies),
    localUser: () =>
      ensureUser(dependencies.database, {
        email: "local@localhost",
        fullName: "Local Operator",
        role: "admin",
      }),
    onChange: (listener) => listeners.push(listener),
  };
}
