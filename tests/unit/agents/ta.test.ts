import { expect, test } from "vitest";
import { taAgent } from "#agents/ta.ts";
import { agentContext } from "#support/agent-context.ts";
import { candlesOf, STEP_MS, trend } from "#support/candles.ts";

const BTC = "BTC/USDT";
const rising = candlesOf(trend(450, 0.004));
const falling = candlesOf(trend(450, -0.004));

test("a rising market is bullish, a falling one bearish", async () => {
  const up = await taAgent.run(agentContext({ [BTC]: rising }));
  const down = await taAgent.run(agentContext({ [BTC]: falling }));
  expect(up.signal).toBe("BULLISH");
  expect(down.signal).toBe("BEARISH");
  expect(up.score).toBeGreaterThan(20);
  expect(down.score).toBeLessThan(-20);
});

test("a market that does not move is neutral with a score of 0", async () => {
  const reading = await taAgent.run(agentContext({ [BTC]: candlesOf(Array(450).fill(9)) }));
  expect(reading).toMatchObject({ signal: "NEUTRAL", score: 0 });
});

test("score and confidence stay in their ranges on the wildest market", async () => {
  for (const growth of [-0.05, -0.001, 0, 0.001, 0.05]) {
    const candles = candlesOf(trend(450, growth, 0.3));
    const { score, confidence } = await taAgent.run(agentContext({ [BTC]: candles }));
    expect(Math.abs(score)).toBeLessThanOrEqual(100);
    expect(confidence).toBeGreaterThanOrEqual(0);
    expect(confidence).toBeLessThanOrEqual(1);
  }
});

test("the same bars have the same reading", async () => {
  const run = () => taAgent.run(agentContext({ [BTC]: rising }));
  expect(await run()).toEqual(await run());
});

test("the reasoning names every indicator, the data holds their values", async () => {
  const { reasoning, data } = await taAgent.run(agentContext({ [BTC]: rising }));
  for (const name of ["SMA 200", "EMA 20", "EMA 50", "MACD", "RSI", "Bollinger", "ATR", "Score"]) {
    expect(reasoning).toContain(name);
  }
  expect(data).toMatchObject({ symbol: BTC, close: rising.at(-1)?.close });
  expect(JSON.parse(JSON.stringify(data))).toEqual(data);
});

test("only the first symbol is read", async () => {
  const both = await taAgent.run(agentContext({ [BTC]: rising, "ETH/USDT": falling }));
  expect(both).toEqual(await taAgent.run(agentContext({ [BTC]: rising })));
});

test("where its numbers come from is said", async () => {
  const { provenance } = await taAgent.run(agentContext({ [BTC]: rising }));
  expect(provenance).toEqual([
    { source: "candles of BTC/USDT", at: rising.at(-1)?.closeAt, derived: true },
  ]);
});

test("with too few bars it is unavailable and says how many it needs and has", async () => {
  const run = taAgent.run(agentContext({ [BTC]: rising.slice(0, 199) }));
  await expect(run).rejects.toMatchObject({
    name: "SourceUnavailable",
    message: "needs 416 bars of BTC/USDT, has 199",
  });
});

test("bars of long ago are not read as the present", async () => {
  const at = (rising.at(-1)?.closeAt ?? 0) + 3 * STEP_MS;
  await expect(taAgent.run(agentContext({ [BTC]: rising }, { at }))).rejects.toThrow(
    "the newest bar of BTC/USDT closed at 1970-01-19T18:00:00.000Z, too long ago",
  );
});

test("a bar is read once: without a new one it is unavailable", async () => {
  const closed = rising.at(-1)?.closeAt ?? NaN;
  const at = closed + STEP_MS / 2;
  const fresh = await taAgent.run(agentContext({ [BTC]: rising }, { at, since: closed - 1 }));
  expect(fresh.signal).toBe("BULLISH");
  const again = taAgent.run(agentContext({ [BTC]: rising }, { at, since: closed }));
  await expect(again).rejects.toMatchObject({
    name: "SourceUnavailable",
    message: "no new bar of BTC/USDT: the newest closed at 1970-01-19T18:00:00.000Z",
  });
});

test("one tick and then nothing for 399 bars is no signal", async () => {
  const closes = [...Array(300).fill(99.99), ...Array(400).fill(100)];
  const bars = candlesOf(closes).map((bar) => ({ ...bar, high: bar.close, low: bar.close }));
  const reading = await taAgent.run(agentContext({ [BTC]: bars }));
  expect(reading).toMatchObject({ signal: "NEUTRAL", score: 0, confidence: 0 });
  expect(reading.reasoning).toBe(
    "BTC/USDT stands still at 100: 0 of the last 20 bars moved, so there is no signal.",
  );
});

test("prices far below one are said with the digits they have", async () => {
  const cheap = candlesOf(trend(450, 0.004).map((close) => close * 1e-8));
  const { reasoning } = await taAgent.run(agentContext({ [BTC]: cheap }));
  expect(reasoning).toMatch(/closed at 0\.000006\d+, above its SMA 200 of 0\.00000\d+;/);
  expect(reasoning).not.toMatch(/ 0(\.0+)?[ ,;]/);
  expect(reasoning).not.toContain("e-");
});

test("without a symbol it is unavailable", async () => {
  await expect(taAgent.run(agentContext({}))).rejects.toThrow("no symbol to read");
});
