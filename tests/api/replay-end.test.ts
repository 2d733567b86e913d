import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "#support/processes.ts";
import { startEngine, temporaryFolder } from "#support/running-engine.ts";

const DAY = 86_400_000;

test("the end of a replay is said by readiness, the list and the answer to a creation", async () => {
  await using resources = new AsyncDisposableStack();
  const folder = await temporaryFolder(resources);
  const file = join(folder, "BTC-USDT-1d.csv");
  await writeFile(file, candles(205));
  const engine = resources.use(await startEngine({ speed: "max", replayFile: file }));
  const request = { definition: "multi_agent_btc_daily", initialBalance: "1000" };
  const first = await engine.client.strategies.create.mutate(request);
  expect(first.notices).toEqual([]);
  const readiness = async () => (await fetch(`${engine.url}/readyz`)).json();
  await expect
    .poll(readiness, { timeout: 40_000 })
    .toMatchObject({ status: "finished", market: { finished: true } });
  const late = await engine.client.strategies.create.mutate(request);
  expect(late.notices).toEqual([expect.stringContaining("no tick will come")]);
  const { stdout } = await runProgram("src/cli.ts", ["strategies", "list"], {
    TROUPE_URL: engine.url,
  });
  expect(stdout).toContain("the replay is at its end");
});

function candles(days: number): string {
  const start = Date.UTC(2020, 0, 1);
  const rows = Array.from({ length: days }, (_, day) => {
    const close = 100 + Math.sin(day / 5);
    return [start + day * DAY, close, close + 1, close - 1, close, 10].join(",");
  });
  return ["timestamp_ms,open,high,low,close,volume", ...rows, ""].join("\n");
}
