import type { AgentOutput } from "#domain/analysis.ts";
import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { timeframeMs } from "#domain/timeframe.ts";
import type { Tick } from "#domain/tick.ts";
import type { AnalysedTick } from "#machines/template-group.machine.ts";
import { SourceUnavailable, type AgentContext, type BusinessAgent } from "#ports/business-agent.ts";
import type { EnginePorts } from "#engine/dependencies.ts";
import { frozen } from "#engine/frozen.ts";
import { observeInTime } from "#engine/observation.ts";
import { withinTime } from "#engine/time-limit.ts";

/** What an analysis needs: no store and no queue, so that a backtest can run one too. */
export type AnalysisDependencies = Pick<
  EnginePorts,
  "agents" | "bars" | "channels" | "decisions" | "observe" | "settings" | "timer"
>;

/** A tick to analyse, stored or not. */
export interface TickToAnalyse {
  tick: Tick;
  definition: Definition;
}

/**
 * Observes the market and runs every agent of the definition once, side by side. There is one output
 * per agent: what went wrong with one is part of the result. The input is frozen, for many share it.
 * @throws DomainError UNKNOWN_CHANNEL, UNKNOWN_DECISION_AGENT, UNKNOWN_AGENT, PORT_TIMEOUT
 */
export async function analyseTick(
  { tick, definition }: TickToAnalyse,
  dependencies: AnalysisDependencies,
): Promise<AnalysedTick> {
  const { channels, decisions, timer } = dependencies;
  // Names are checked before anything is fanned out: no strategy can do anything about them.
  channels.get(definition.tradeChannel);
  decisions.get(definition.decisionAgent);
  const startedAt = timer.elapsed();
  const at = tick.scheduledFor;
  const timeframe = timeframeMs(definition);
  const since = tick.previousFor ?? at - timeframe;
  const look = { symbols: definition.symbols, at, since, timeframeMs: timeframe };
  const market = await observeInTime(look, dependencies);
  const news = { definition, market, since: tick.previousFor };
  const outputs = await runAgents(news, dependencies);
  const analysis = Object.fromEntries(outputs.map((output) => [output.agent, output]));
  return {
    input: frozen({ tick, definition, market, analysis }),
    outputs,
    analysisMs: Math.round(timer.elapsed() - startedAt),
  };
}

/** What agents look at: what closed after `since`; null: their first tick. */
interface News {
  definition: Definition;
  market: MarketSnapshot;
  since: number | null;
}

function runAgents(news: News, dependencies: AnalysisDependencies): Promise<AgentOutput[]> {
  const { agents } = dependencies;
  return Promise.all(
    news.definition.agents.map(({ name }) => runAgent(agents.get(name), news, dependencies)),
  );
}

async function runAgent(
  agent: BusinessAgent,
  { definition, market, since }: News,
  { bars, settings, timer }: AnalysisDependencies,
): Promise<AgentOutput> {
  const startedAt = timer.elapsed();
  const { name } = agent;
  const durationMs = (): number => Math.round(timer.elapsed() - startedAt);
  const finished = new AbortController();
  const context: AgentContext = {
    at: market.at,
    since,
    symbols: definition.symbols,
    market,
    candles: (symbol, count) =>
      bars({ symbol, at: market.at, count, timeframeMs: timeframeMs(definition) }),
    signal: finished.signal,
  };
  const answer = Promise.resolve()
    .then(() => agent.run(context))
    .then(
      (reading): AgentOutput => ({
        agent: name,
        status: "ok",
        durationMs: durationMs(),
        ...reading,
      }),
      (error: unknown): AgentOutput => ({
        agent: name,
        status: error instanceof SourceUnavailable ? "unavailable" : "failed",
        reason: errorMessage(error),
        durationMs: durationMs(),
      }),
    );
  const ms = settings.agentTimeoutMs;
  const expired = (): AgentOutput => ({
    agent: name,
    status: "timeout",
    reason: `no answer within ${ms} ms`,
    durationMs: durationMs(),
  });
  const output = await withinTime(answer, { ms, timer, expired });
  finished.abort();
  return output;
}
