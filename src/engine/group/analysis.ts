import type { AgentOutput } from "#domain/analysis.ts";
import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import type { MarketSnapshot } from "#domain/market.ts";
import { timeframeMs } from "#domain/timeframe.ts";
import { SourceUnavailable, type AgentContext, type BusinessAgent } from "#ports/business-agent.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";

/**
 * Runs every agent of the definition once, side by side, on what closed after `since` (null: its first
 * tick). It always answers with one output per
 * agent: what went wrong is part of the result, not an exception.
 */
export async function analyse(
  definition: Definition,
  { market, since }: { market: MarketSnapshot; since: number | null },
  dependencies: Pick<EngineDependencies, "agents" | "bars" | "settings" | "timer">,
): Promise<AgentOutput[]> {
  return Promise.all(
    definition.agents.map(({ name }) =>
      runAgent(dependencies.agents.get(name), { definition, market, since }, dependencies),
    ),
  );
}

async function runAgent(
  agent: BusinessAgent,
  subject: { definition: Definition; market: MarketSnapshot; since: number | null },
  dependencies: Pick<EngineDependencies, "bars" | "settings" | "timer">,
): Promise<AgentOutput> {
  const { bars, settings, timer } = dependencies;
  const startedAt = timer.elapsed();
  const finished = new AbortController();
  const { at } = subject.market;
  const context: AgentContext = {
    at,
    since: subject.since,
    symbols: subject.definition.symbols,
    market: subject.market,
    candles: (symbol, count) =>
      bars({ symbol, at, count, timeframeMs: timeframeMs(subject.definition) }),
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
