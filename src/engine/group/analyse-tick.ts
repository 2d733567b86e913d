import type { AgentOutput } from "#domain/analysis.ts";
import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
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
  "agents" | "candles" | "channels" | "decisions" | "observe" | "settings" | "timer"
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
  const since = tick.previousFor ?? at - definition.periodMinutes * 60_000;
  const market = await observeInTime({ symbols: definition.symbols, at, since }, dependencies);
  const outputs = await runAgents(definition, market, dependencies);
  const analysis = Object.fromEntries(outputs.map((output) => [output.agent, output]));
  return {
    input: frozen({ tick, definition, market, analysis }),
    outputs,
    analysisMs: Math.round(timer.elapsed() - startedAt),
  };
}

function runAgents(
  definition: Definition,
  market: MarketSnapshot,
  dependencies: AnalysisDependencies,
): Promise<AgentOutput[]> {
  return Promise.all(
    definition.agents.map(({ name }) =>
      runAgent(dependencies.agents.get(name), { definition, market }, dependencies),
    ),
  );
}

async function runAgent(
  agent: BusinessAgent,
  { definition, market }: { definition: Definition; market: MarketSnapshot },
  { candles, settings, timer }: AnalysisDependencies,
): Promise<AgentOutput> {
  const startedAt = timer.elapsed();
  const { name } = agent;
  const durationMs = (): number => Math.round(timer.elapsed() - startedAt);
  const finished = new AbortController();
  const context: AgentContext = {
    at: market.at,
    symbols: definition.symbols,
    market,
    candles: (symbol, count) => candles(symbol, market.at, count),
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
