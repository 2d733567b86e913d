import { ActorSnapshot } from "./actor-snapshot.entity.ts";
import { AgentRegistry } from "./agent-registry.entity.ts";
import { AgentRun } from "./agent-run.entity.ts";
import { Alert } from "./alert.entity.ts";
import { ApiConfig } from "./api-config.entity.ts";
import { AuditLog } from "./audit-log.entity.ts";
import { DefinitionVersion } from "./definition-version.entity.ts";
import { ExchangeAccount } from "./exchange-account.entity.ts";
import { Shard } from "./shard.entity.ts";
import { StrategyComposeCycle } from "./strategy-compose-cycle.entity.ts";
import { StrategyDefinition } from "./strategy-definition.entity.ts";
import { StrategyDetail } from "./strategy-detail.entity.ts";
import { StrategyHolding } from "./strategy-holding.entity.ts";
import { StrategyInstruction } from "./strategy-instruction.entity.ts";
import { StrategyParamVersion } from "./strategy-param-version.entity.ts";
import { StrategyPortfolioView } from "./strategy-portfolio-view.entity.ts";
import { StrategyPrompt } from "./strategy-prompt.entity.ts";
import { Strategy } from "./strategy.entity.ts";
import { Tick } from "./tick.entity.ts";
import { ToolRegistry } from "./tool-registry.entity.ts";
import { User } from "./user.entity.ts";

/** Every table; the schema is exactly what these say. */
export const entities = [
  User,
  StrategyDefinition,
  DefinitionVersion,
  Shard,
  Strategy,
  StrategyParamVersion,
  ActorSnapshot,
  Tick,
  AgentRun,
  StrategyComposeCycle,
  StrategyInstruction,
  StrategyDetail,
  StrategyPortfolioView,
  StrategyHolding,
  StrategyPrompt,
  AgentRegistry,
  ToolRegistry,
  ApiConfig,
  ExchangeAccount,
  Alert,
  AuditLog,
];
