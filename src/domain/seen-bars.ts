import type { DecimalString } from "./decimal.ts";
import { type Fixed, larger, smaller } from "./fixed.ts";
import type { Bar, Quote } from "./market.ts";
import { positivePrice, usablePrice } from "./price.ts";

/** A bar with its prices parsed. */
export interface SeenBar {
  /** When its volume's bar closed: what was taken from it is remembered by this. */
  key: number;
  openAt: number;
  closeAt: number;
  /** Null: not known; then nothing can be said of a gap. */
  open: Fixed | null;
  high: Fixed;
  low: Fixed;
  close: Fixed;
  volume: DecimalString | null;
}

// A quote is shared by all strategies of a tick and never changes: its bars are parsed once.
const parsed = new WeakMap<Quote, readonly SeenBar[]>();

/** The bars of a quote in which exits are looked for, oldest first; those without a price left out. */
export function seenBars(quote: Quote): readonly SeenBar[] {
  const known = parsed.get(quote);
  if (known !== undefined) return known;
  const bars = (quote.bars ?? []).flatMap(barOf);
  parsed.set(quote, bars);
  return bars;
}

function barOf(bar: Bar): SeenBar[] {
  const close = positivePrice(bar.close);
  if (close === null) return [];
  const open = positivePrice(bar.open);
  const low = positivePrice(bar.low) ?? close;
  const high = positivePrice(bar.high) ?? close;
  const { openAt, closeAt, volume } = bar;
  return [
    {
      key: closeAt,
      openAt,
      closeAt,
      open,
      low: smaller(smaller(low, open ?? low), close),
      high: larger(larger(high, open ?? high), close),
      close,
      volume,
    },
  ];
}

/** Where no bar closed, or the feed knows none: the range if it is new, and the price of now. */
export function barOfNow(quote: Quote, { at, since }: { at: number; since: number }): SeenBar[] {
  const close = usablePrice(quote);
  if (close === null) return [];
  // Extremes from before `since` touched nothing.
  const isNew = quote.at > since;
  const low = (isNew ? positivePrice(quote.low) : null) ?? close;
  const high = (isNew ? positivePrice(quote.high) : null) ?? close;
  const range = { low: smaller(low, close), high: larger(high, close) };
  const volume = quote.barVolume;
  return [{ key: quote.at, openAt: at, closeAt: at, open: null, ...range, close, volume }];
}
