// What the name of a candle file says: its symbol and its step.
import { type BarStep, parseStep } from "./bar-step.ts";

/** Longest first, so that BTCUSDT is no pair of "BTCUSD" and "T". */
const QUOTES: readonly string[] = [
  "FDUSD",
  "USDT",
  "USDC",
  "BUSD",
  "TUSD",
  "USDP",
  "USDE",
  "USDS",
  "PYUSD",
  "BIDR",
  "IDRT",
  "USD",
  "EUR",
  "GBP",
  "JPY",
  "AUD",
  "CAD",
  "CHF",
  "NZD",
  "TRY",
  "BRL",
  "KRW",
  "RUB",
  "UAH",
  "ZAR",
  "PLN",
  "MXN",
  "ARS",
  "NGN",
  "INR",
  "IDR",
  "CNY",
  "HKD",
  "SGD",
  "SEK",
  "NOK",
  "DKK",
  "CZK",
  "HUF",
  "DAI",
  "BTC",
  "XBT",
  "ETH",
  "BNB",
  "SOL",
  "XRP",
  "TRX",
  "DOGE",
].toSorted((a, b) => b.length - a.length);

/** Words in names of files that are no currency. */
const NO_CURRENCY = new Set(
  "BINANCE BINANCEUS BYBIT COINBASE KRAKEN OKX OKEX BITSTAMP BITFINEX BITMEX GEMINI KUCOIN GATEIO HUOBI HTX MEXC BITGET DERIBIT HYPERLIQUID DYDX POLONIEX OANDA FXCM DATA PRICE PRICES CANDLE CANDLES KLINE KLINES OHLC OHLCV SPOT FUTURE FUTURES PERP SWAP UM CM MINE OWN MY FUNDING EXPORT HISTORY HIST BARS CRYPTO FOREX INDEX".split(
    " ",
  ),
);
const CURRENCY = /^[A-Z0-9]{2,15}$/;
const SYMBOL = /^([a-z0-9]{2,15})[/_-]([a-z0-9]{2,15})$/i;
/** A pair of which neither half is known is believed in capitals only. */
const CAPITAL_PAIR = /^([A-Z0-9]{2,10})[-_]([A-Z][A-Z0-9]{1,9})(?=[-_. ]|$)/;
const SEPARATORS = /[^A-Za-z0-9]+/;

/** `ETH/BTC` of `ETH/BTC`, `eth-btc`, `ETH_BTC` or `ETHBTC`; null when it is no pair. */
export function parseSymbol(text: string): string | null {
  const [, base, quote] = SYMBOL.exec(text) ?? [];
  if (base !== undefined && quote !== undefined) return pair(base, quote);
  return joinedPair(text);
}

/** The symbol in the name of a file, like `BTC-USDT-1h.csv` or `ETHBTC_1m.csv.gz`; null: it says none. */
export function symbolInName(file: string): string | null {
  const words = stemOf(file).split(SEPARATORS);
  const apart = words.flatMap((word, index) => knownPair(word, words[index + 1]) ?? []);
  // The last one: before it may stand the name of a venue.
  return apart.at(-1) ?? words.flatMap((word) => joinedPair(word) ?? [])[0] ?? capitalPair(file);
}

/** The step in the name of a file, like `1h` or `daily`; null: it says none. */
export function stepInName(file: string): BarStep | null {
  const steps = stemOf(file)
    .split(SEPARATORS)
    // A letter alone is more often something else, but for the days and hours some venues name so.
    .filter((word) => word.length > 1 || word === "d" || word === "h")
    .flatMap((word) => parseStep(word) ?? []);
  return steps[0] ?? null;
}

/** The name without folder and endings. */
export function stemOf(file: string): string {
  return file.replace(/(\.(csv|txt|tsv|gz|zip))+$/i, "");
}

const pair = (base: string, quote: string): string =>
  `${base.toUpperCase()}/${quote.toUpperCase()}`;

function knownPair(word: string, next = ""): string | null {
  const [base, quote] = [word.toUpperCase(), next.toUpperCase()];
  if (!QUOTES.includes(quote) || base === quote || !isCurrency(word)) return null;
  return pair(base, quote);
}

function joinedPair(word: string): string | null {
  const upper = word.toUpperCase();
  const quote = QUOTES.find((known) => upper.endsWith(known) && upper.length >= known.length + 2);
  if (quote === undefined) return null;
  const base = upper.slice(0, -quote.length);
  return CURRENCY.test(base) ? pair(base, quote) : null;
}

function capitalPair(file: string): string | null {
  const [, base, quote] = CAPITAL_PAIR.exec(stemOf(file)) ?? [];
  if (base === undefined || quote === undefined) return null;
  return isCurrency(base) && isCurrency(quote) ? pair(base, quote) : null;
}

function isCurrency(word: string): boolean {
  const upper = word.toUpperCase();
  return (
    CURRENCY.test(upper) &&
    /[A-Z]/.test(upper) &&
    !NO_CURRENCY.has(upper) &&
    parseStep(word) === null
  );
}
