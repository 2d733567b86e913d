import { expect, test } from "vitest";
import type { Recording } from "#ports/market-feed.ts";
import { type Played, replayNotes } from "#services/replay-notes.ts";

const BTC: Recording = {
  symbol: "BTC/USDT",
  files: ["btc.csv"],
  step: "1d",
  bars: 10,
  from: 0,
  to: 1,
  gaps: 0,
  knowsVolume: true,
  hasFunding: false,
};
const SPOT = { name: "spot one", symbols: ["BTC/USDT"], tradeChannel: "spot", isActive: true };
const PERPETUAL = { ...SPOT, name: "perpetual one", tradeChannel: "perpetual" };
const CHANNELS: Played["channels"] = [
  { name: "spot", marketType: "spot" },
  { name: "perpetual", marketType: "perpetual" },
];

test("bars that a template trades and that say everything need no note", () => {
  expect(replayNotes([BTC], played(SPOT))).toEqual([]);
});

test("a symbol no active template trades is said with those that are traded", () => {
  const note = "ETH/USDT (btc.csv): no template trades it (they trade BTC/USDT)";
  const ether = { ...BTC, symbol: "ETH/USDT" };
  expect(replayNotes([ether], played(SPOT))).toEqual([note]);
  const dormant = { ...SPOT, symbols: ["ETH/USDT"], isActive: false };
  expect(replayNotes([ether], played(SPOT, dormant))).toEqual([note]);
});

test("a volume that is not known is said", () => {
  expect(replayNotes([{ ...BTC, knowsVolume: false }], played(SPOT))).toEqual([
    "BTC/USDT (btc.csv): volume is not known, so it limits no fill",
  ]);
});

test("funding that is missing is said where a perpetual needs it", () => {
  expect(replayNotes([BTC], played(SPOT, PERPETUAL))).toEqual([
    "BTC/USDT (btc.csv): no funding file beside it, so perpetuals replay without funding",
  ]);
  expect(replayNotes([{ ...BTC, hasFunding: true }], played(PERPETUAL))).toEqual([]);
});

test("of many files the first and the last are named", () => {
  const many = { ...BTC, knowsVolume: false, files: ["01.csv", "02.csv", "03.csv"] };
  expect(replayNotes([many], played(SPOT))[0]).toContain("(01.csv … 03.csv, 3 files)");
});

function played(...definitions: Played["definitions"]): Played {
  return { definitions, channels: CHANNELS };
}
