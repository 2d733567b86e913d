import type { AgentOutput } from "#domain/analysis.ts";
import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { SourceUnavailable, type AgentContext, type BusinessAgent } from "#ports/business-agent.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";

/**
 * Runs every agent of the definition once, side by side. It always answers with one output per
 * agent: what went wrong is part of the result, not an exception.
 */
export async function analyse(
  definition: Definition,
  market: MarketSnapshot,
  dependencies: Pick<EngineDependencies, "agents" | "candles" | "settings" | "timer">,
): Promise<AgentOutput[]> {
  return Promise.all(
    definition.agents.map(({ name }) =>
      runAgent(dependencies.agents.get(name), { definition, market }, dependencies),
    ),
  );
}

async function runAgent(
  agent: BusinessAgent,
  subject: { definition: Definition; market: MarketSnapshot },
  dependencies: Pick<EngineDependencies, "candles" | "settings" | "timer">,
): Promise<AgentOutput> {
  const { candles, settings, timer } = dependencies;
  const startedAt = timer.elapsed();
  const finished = new AbortController();
  const context: AgentContext = {
    at: subject.market.at,
    symbols: subject.definition.symbols,
    market: subject.market,
    candles: (symbol, count) => candles(symbol, subject.market.at, count),
    signal: finished.signal,
  };
  const durationMs = (): number => Math.round(timer.elapsed() - startedAt);
  const late = timer.after(settings.agentTimeoutMs, finished.signal).then((): AgentOutput => ({
    agent: agent.name,
    status: "timeout",
    reason: `no answer within ${settings.agentTimeoutMs} ms`,
    durationMs: durationMs(),
  }));
  const answer = Promise.resolve()
    .then(() => agent.run(context))
    .then(
      (reading): AgentOutput => ({
        agent: agent.name,
        status: "ok",
        durationMs: durationMs(),
        ...reading,
      }),
      (error: unknown): AgentOutput => ({
        agent: agent.name,
        status: error instanceof SourceUnavailable ? "unavailable" : "failed",
        reason: errorMessage(error),
        durationMs: durationMs(),
      }),
    );
  const output = await Promise.race([answer, late]);
  finished.abort();
  return output;
}
