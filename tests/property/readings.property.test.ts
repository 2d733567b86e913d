import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { regimeFilterAgent } from "#agents/regime-filter.ts";
import { taMomentumAgent } from "#agents/ta-momentum.ts";
import { taAgent } from "#agents/ta.ts";
import type { AgentReading } from "#domain/analysis.ts";
import type { Candle } from "#domain/market.ts";
import { type BusinessAgent, SourceUnavailable } from "#ports/business-agent.ts";
import { agentContext } from "#support/agent-context.ts";
import { candlesOf } from "#support/candles.ts";
import { emaBars, wilderBars } from "#tools/warm-up.ts";

const BTC = "BTC/USDT";
const AGENTS = [taAgent, taMomentumAgent, regimeFilterAgent];

describe.each(AGENTS.map((agent) => ({ name: agent.name, agent })))("$name", ({ agent }) => {
  test("reads a bar the same wherever the recording begins, or not yet", async () => {
    await fc.assert(
      fc.asyncProperty(walk(), fc.integer({ min: 200, max: 699 }), async (closes, before) => {
        const bars = candlesOf(closes);
        const whole = await readingOf(agent, bars);
        const cut = await readingOf(agent, bars.slice(-before - 1));
        if (cut !== "not yet") expect(cut).toEqual(whole);
        expect(whole).not.toBe("not yet");
      }),
      { numRuns: 40 },
    );
  });

  test("says nothing of a market that has stopped to move", async () => {
    await fc.assert(
      fc.asyncProperty(walk(), fc.integer({ min: 20, max: 699 }), async (closes, still) => {
        const last = closes.at(-still) ?? NaN;
        const bars = candlesOf([...closes.slice(0, -still), ...Array(still).fill(last)]);
        const stopped = bars.map((bar, index) =>
          index <= bars.length - still ? bar : { ...bar, high: last, low: last },
        );
        const reading = await readingOf(agent, stopped);
        expect(reading).toMatchObject({ signal: "NEUTRAL", score: 0, confidence: 0 });
      }),
      { numRuns: 40 },
    );
  });
});

test("after as many bars as an average asks for, less than a millionth of its start is left", () => {
  const period = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(period, (length) => {
      expect((1 - 2 / (length + 1)) ** (emaBars(length) - 1)).toBeLessThan(1e-6);
      expect((1 - 1 / length) ** (wilderBars(length) - length)).toBeLessThan(1e-6);
    }),
  );
});

async function readingOf(agent: BusinessAgent, bars: Candle[]): Promise<AgentReading | "not yet"> {
  try {
    return await agent.run(agentContext({ [BTC]: bars }));
  } catch (error) {
    if (error instanceof SourceUnavailable && error.message.startsWith("needs ")) return "not yet";
    throw error;
  }
}

/** 700 closes from 100 on, each a few percent from the one before. */
function walk(): fc.Arbitrary<number[]> {
  const step = fc.double({ min: -0.04, max: 0.04, noNaN: true });
  return fc.array(step, { minLength: 700, maxLength: 700 }).map((steps) => {
    let close = 100;
    return steps.map((change) => (close *= 1 + change));
  });
}
