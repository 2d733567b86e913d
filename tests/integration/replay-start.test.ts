import { expect, test, vi } from "vitest";
import { readConfig } from "#config/config.ts";
import { createLogger, openTroupe } from "../../src/troupe.ts";
import { barsAt, dataFolder, HEADER, type DataFolder } from "#support/data-files.ts";
import { startEngine } from "#support/running-engine.ts";

const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2024, 0, 1);

test("files that end before the stored replay are refused with both times and what to do", async () => {
  await using folder = await dataFolder({
    "long/BTC-USDT-1d.csv": days(206),
    "short/BTC-USDT-1d.csv": days(203),
  });
  await playToItsEnd(folder);
  const problem = [
    "BTC-USDT-1d.csv ends at 2024-07-22T00:00:00.000Z, but the replay stored in ",
    `${folder.of("data")} stands at 2024-07-25T00:00:00.000Z; `,
    "replay a file that goes on after that, or start anew with another TROUPE_DATA_DIR",
  ].join("");
  await expect(open(folder, "short")).rejects.toMatchObject({
    code: "INVALID_DATA_FILE",
    message: problem,
  });
  await using again = await open(folder, "long");
  expect(again.clock.now()).toBe(Date.UTC(2024, 6, 25));
});

test("a symbol no template trades, and a volume that is not known, are said at the start", async () => {
  await using folder = await dataFolder({
    "many/ETHUSDT-1d.csv": days(3),
    "many/BTC-USDT-1h.csv": days(3)
      .replaceAll(/,[^,\n]+$/gm, ",0")
      .replace(/^.*$/m, HEADER),
  });
  await using troupe = await open(folder, "many");
  expect(troupe.notes).toEqual([
    "BTC/USDT (BTC-USDT-1h.csv): volume is not known, so it limits no fill",
    "ETH/USDT (ETHUSDT-1d.csv): no template trades it (they trade BTC/USDT)",
  ]);
});

function days(count: number): string {
  return barsAt(Array.from({ length: count }, (_, day) => FIRST_DAY + day * DAY_MS));
}

function open(folder: DataFolder, files: string) {
  const config = readConfig({
    TROUPE_DATA_DIR: folder.of("data"),
    TROUPE_LOG_LEVEL: "silent",
    TROUPE_REPLAY_FILE: folder.of(files),
  });
  return openTroupe({ config, logger: createLogger(config) });
}

async function playToItsEnd(folder: DataFolder): Promise<void> {
  await using running = await startEngine({
    speed: "max",
    replayFile: folder.of("long"),
    environment: { TROUPE_DATA_DIR: folder.of("data") },
  });
  await running.client.strategies.create.mutate({
    definition: "multi_agent_btc_daily",
    initialBalance: "10000",
  });
  const { clock } = running.troupe;
  await vi.waitFor(() => expect(clock.finished).toBe(true), { timeout: 20_000, interval: 20 });
}
