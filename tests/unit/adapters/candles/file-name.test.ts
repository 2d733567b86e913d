import { expect, test } from "vitest";
import { stepText } from "#adapters/candles/bar-step.ts";
import { parseSymbol, stepInName, symbolInName } from "#adapters/candles/file-name.ts";

test.each([
  ["BTC-USDT-1h.csv", "BTC/USDT"],
  ["SOL-USDT-1h.csv", "SOL/USDT"],
  ["kraken_ETH_EUR.csv", "ETH/EUR"],
  ["BTCUSD.csv", "BTC/USD"],
  ["btcusdt_1m.csv.gz", "BTC/USDT"],
  ["venue-1000PEPEUSDC-5m.csv", "1000PEPE/USDC"],
  ["ETHBTC-1d.csv", "ETH/BTC"],
  ["XRPETH.csv", "XRP/ETH"],
  ["ETH-BTC-1d.csv", "ETH/BTC"],
  ["EURUSD_M15.csv", "EUR/USD"],
  ["BTC_USDT_USDT-1h-futures.csv", "BTC/USDT"],
  ["BTC-USDT-SWAP-1m.csv", "BTC/USDT"],
  ["Binance_BTCUSDT_d.csv", "BTC/USDT"],
  ["binance-btc-usdt-2025-01.zip", "BTC/USDT"],
  ["BTCUSDT-1m-2025-01-01.csv", "BTC/USDT"],
  ["BINANCE_BTCUSDT, 60.csv", "BTC/USDT"],
  ["JUP-BONK-1h.csv", "JUP/BONK"],
])("the name %s says %s", (name, symbol) => {
  expect(symbolInName(name)).toBe(symbol);
});

test.each(["mine.csv", "my-own-data.csv", "candles_1m.csv", "2025-01-01.csv", "DATA-EXPORT.csv"])(
  "the name %s says no symbol",
  (name) => {
    expect(symbolInName(name)).toBeNull();
  },
);

test.each([
  ["ETH/BTC", "ETH/BTC"],
  ["eth-btc", "ETH/BTC"],
  ["ABC_XYZ", "ABC/XYZ"],
  ["XRPETH", "XRP/ETH"],
  ["Bitcoin", null],
])("%s is the symbol %s", (text, symbol) => {
  expect(parseSymbol(text)).toBe(symbol);
});

test.each([
  ["BTC-USDT-1m.csv", "1m"],
  ["BTC-USDT-1M.csv", "1M"],
  ["BTCUSDT_15min.csv", "15m"],
  ["BTCUSDT-4H.csv", "4h"],
  ["BTC-USDT-24h.csv", "1d"],
  ["Binance_BTCUSDT_d.csv", "1d"],
  ["BTCUSDT-weekly.csv", "1w"],
  ["EURUSD_M15.csv", "15m"],
  ["EURUSD-MN1.csv", "1M"],
  ["btc-usdt-3mo.csv", "3M"],
  ["BTC-USDT-30s.csv.gz", "30s"],
  ["BTCUSDT-1m-2025-01-01.csv", "1m"],
])("the name %s says a step of %s", (name, step) => {
  const found = stepInName(name);
  expect(found === null ? null : stepText(found)).toBe(step);
});

test.each(["BTC-USDT.csv", "BTCUSDT-2025-01.csv", "D-USDT.csv"])(
  "the name %s says no step",
  (name) => {
    expect(stepInName(name)).toBeNull();
  },
);
