// What the strategies of the model test are told to do: prices by time, and wishes by style. The engine
// gets it as a feed and a decision agent, the model reads it as it is.
import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { JsonObject } from "#domain/json.ts";
import type { Quote } from "#domain/market.ts";
import { FIRST_TICK, HandFeed, hold, PERIOD_MS, type Params } from "#support/engine.ts";

export const SYMBOLS = ["BTC/USDT", "ETH/USDT"] as const;
export type TradedSymbol = (typeof SYMBOLS)[number];

const PRICES: Readonly<Record<TradedSymbol, readonly string[]>> = {
  "BTC/USDT": ["100", "103.5", "99.25", "107.3", "94.17", "101", "110.03"],
  "ETH/USDT": ["20", "21.7", "19.33", "20.5", "18.01"],
};

/** The recorded price at a moment; between two ticks it is that of the tick before. */
export function priceAt(symbol: TradedSymbol, at: number): string {
  const prices = PRICES[symbol];
  const index = Math.max(0, Math.floor((at - FIRST_TICK) / PERIOD_MS));
  return prices[index % prices.length] ?? "";
}

export class RecordedFeed extends HandFeed {
  override async quote(symbol: string, at: number): Promise<Quote | null> {
    const known = SYMBOLS.find((one) => one === symbol);
    if (known === undefined) return null;
    const price = priceAt(known, at);
    const range = { low: price, high: price, barVolume: "100000" };
    return { symbol, price, at, quality: "fresh", source: "recorded", ...range };
  }
}

/** `size` stands for the strategy's own. */
interface Wish {
  symbol: TradedSymbol;
  action: "open_long" | "open_short" | "close_long" | "close_short";
  quantity: string;
}

const wish = (
  action: Wish["action"],
  quantity: string,
  symbol: TradedSymbol = "BTC/USDT",
): Wish => ({
  symbol,
  action,
  quantity,
});

/** By style, what is wanted in turn; one without wishes is a HOLD. */
const STYLES = {
  swing: [[wish("open_long", "size")], [wish("close_long", "0.7")], []],
  pair: [
    [wish("open_long", "size"), wish("open_long", "size", "ETH/USDT")],
    [wish("open_long", "0.5", "ETH/USDT"), wish("close_long", "0.3")],
    [wish("close_long", "1000", "ETH/USDT")],
  ],
  greedy: [[wish("open_long", "1000")], [wish("open_long", "1000")], [wish("close_long", "1000")]],
  flip: [[wish("open_long", "size")], [wish("open_short", "size")], [wish("close_short", "0.7")]],
} satisfies Record<string, readonly (readonly Wish[])[]>;

export const STYLE_NAMES = ["swing", "pair", "greedy", "flip", "moody"] as const;
export type Style = (typeof STYLE_NAMES)[number];
export const SIZES = ["1.5", "2.125", "7"] as const;

export interface Manner {
  style: Style;
  size: (typeof SIZES)[number];
}

/** What a strategy wants in its `turn`-th decision; null: it fails to decide. */
export function wishesOf({ style, size }: Manner, turn: number, tickAt: number): Wish[] | null {
  const isMoodyHour = Math.round(tickAt / PERIOD_MS) % 2 === 1;
  if (style === "moody" && isMoodyHour) return null;
  const turns = STYLES[style === "moody" ? "swing" : style];
  const wishes: readonly Wish[] = turns[turn % turns.length] ?? [];
  return wishes.map((one) => (one.quantity === "size" ? { ...one, quantity: size } : one));
}

/** The decision agent: it counts its turns in its state. */
export function decideByScript({ params, state, tick }: DecisionInput<Params>): Decision {
  const turn = Number(state?.["turn"] ?? 0);
  const items = wishesOf(mannerOf(params), turn, tick.scheduledFor);
  if (items === null) throw new Error("in no mood to decide");
  return hold({ items, state: { turn: turn + 1 }, rationale: `turn ${turn}` });
}

function mannerOf(params: Params): Manner {
  const style = STYLE_NAMES.find((name) => name === params["style"]);
  const size = SIZES.find((one) => one === params["size"]);
  if (style === undefined || size === undefined) throw new Error("no manner in these params");
  return { style, size };
}

export function paramsOf(manner: Manner): JsonObject {
  return { role: "scripted", ...manner };
}
