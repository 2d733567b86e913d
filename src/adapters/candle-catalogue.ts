const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const HOURS_8_MS = 28_800_000;

/** What a bundled candle file holds; the file itself does not say. */
export interface CandleFileEntry {
  /** Name inside the candle folder. */
  file: string;
  /** Base/quote, e.g. `BTC/USDT`. */
  symbol: string;
  stepMs: number;
  source: string;
}

/** What a bundled funding file holds. */
export interface FundingFileEntry {
  file: string;
  symbol: string;
  /** Time between two payments, ms. */
  intervalMs: number;
  source: string;
}

const lean = (path: string): string => `QuantConnect/Lean@24863901de Data/${path}`;

const coinbaseMinutes = (base: "BTC" | "ETH", day: string): CandleFileEntry => ({
  file: `coinbase-${base}USD-1m-${day}.csv`,
  symbol: `${base}/USD`,
  stepMs: MINUTE_MS,
  source: lean(`crypto/coinbase/minute/${base.toLowerCase()}usd/${day}_trade.zip`),
});

export const CANDLE_FILES: readonly CandleFileEntry[] = [
  {
    file: "bitcoin-daily.csv",
    symbol: "BTC/USDT",
    stepMs: DAY_MS,
    source: "DaveSkender/Stock.Indicators@d5c6660478 tests/indicators/_testdata/quotes/bitcoin.csv",
  },
  {
    file: "bybit-BTCUSDT-1m-20221213.csv",
    symbol: "BTC/USDT",
    stepMs: MINUTE_MS,
    source: lean("crypto/bybit/minute/btcusdt/20221213_trade.zip"),
  },
  coinbaseMinutes("BTC", "20171217"),
  coinbaseMinutes("BTC", "20180404"),
  coinbaseMinutes("BTC", "20180405"),
  coinbaseMinutes("BTC", "20180406"),
  coinbaseMinutes("ETH", "20170903"),
  coinbaseMinutes("ETH", "20170904"),
  coinbaseMinutes("ETH", "20180404"),
  coinbaseMinutes("ETH", "20180405"),
];

export const FUNDING_FILES: readonly FundingFileEntry[] = [
  {
    file: "binance-funding-btcusd.csv",
    symbol: "BTC/USD",
    intervalMs: HOURS_8_MS,
    source: lean("cryptofuture/binance/margin_interest/btcusd.csv"),
  },
  {
    file: "bybit-funding-btcusdt.csv",
    symbol: "BTC/USDT",
    intervalMs: HOURS_8_MS,
    source: lean("cryptofuture/bybit/margin_interest/btcusdt.csv"),
  },
];
