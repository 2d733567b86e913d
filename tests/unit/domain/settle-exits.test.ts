import { BarVolumes } from "#domain/bar-volumes.ts";
import type { Protection } from "#domain/decision.ts";
import type { OpenExit, TakenVolume } from "#domain/exit.ts";
import { fixedOf } from "#domain/fixed.ts";
import { valuePortfolio } from "#domain/ledger.ts";
import type { Bar, FundingEvent, Quote } from "#domain/market.ts";
import type { PaperTerms } from "#domain/paper-terms.ts";
import { PAPER_LIQUIDATION, type LiquidationModel } from "#domain/perpetual.ts";
import type { Ledger } from "#domain/portfolio.ts";
import { type Settlement, settleExits } from "#domain/settle-exits.ts";
import {
  BTC,
  COMPOSE_ID,
  ETH,
  HOUR,
  NO_RULES,
  T0,
  fillOf,
  fold,
  identityOf,
  ledgerOf,
  marketOf,
  quoteOf,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";

const FREE: PaperTerms = {
  feeRate: 0n,
  slippage: 0n,
  volumeShare: fixedOf(0.1),
  liquidation: null,
  fundingGraceMs: 0,
};
const PERPETUAL: PaperTerms = {
  ...FREE,
  feeRate: fixedOf(0.0005),
  slippage: fixedOf(0.0003),
  liquidation: PAPER_LIQUIDATION,
};
const spot = fold(ledgerOf("spot"), [fillOf("BUY", "50")]).ledger;
const short = fold(ledgerOf("perpetual"), [fillOf("SELL", "50")]).ledger;

describe("a stop loss", () => {
  test("is filled at the stop when the price came back", () => {
    const settled = settle(spot, [bar(0, [100, 104, 94, 103])], { stop: "95" });
    expect(pricesOf(settled)).toEqual(["95"]);
    expect(settled.exits[0]?.order).toMatchObject({
      action: "close_long",
      quantity: "50",
      reduceOnly: true,
      note: "stop loss at 95 reached: low 94, high 104, last 103",
    });
    expect(settled.ledger.positions).toEqual({});
  });

  test("is filled at the open that gapped over it, not at the close", () => {
    const settled = settle(spot, [bar(0, [93, 94, 58, 60])], { stop: "95" });
    expect(pricesOf(settled)).toEqual(["93"]);
  });

  test("costs slippage and the fee on top", () => {
    const { exits } = settle(spot, [bar(0, [100, 104, 94, 103])], {
      stop: "95",
      terms: { ...FREE, slippage: fixedOf(0.001), feeRate: fixedOf(0.001) },
    });
    expect(exits[0]?.report.fills[0]).toMatchObject({
      price: "94.905",
      fee: { amount: "4.74525", currency: "quote" },
      at: T0 + HOUR,
    });
  });

  test("comes before a target that the same bar reached", () => {
    const levels = { stop: "95", target: "110" };
    expect(pricesOf(settle(spot, [bar(0, [100, 120, 94, 119])], levels))).toEqual(["95"]);
  });

  test("of a short lies above it", () => {
    expect(pricesOf(settle(short, [bar(0, [100, 106, 99, 101])], { stop: "105" }))).toEqual([
      "105",
    ]);
    expect(pricesOf(settle(short, [bar(0, [107, 109, 90, 91])], { stop: "105" }))).toEqual(["107"]);
  });

  test("is looked for bar by bar: the first that reaches it counts", () => {
    const bars = [
      bar(0, [100, 101, 99, 100]),
      bar(1, [100, 100, 94, 96]),
      bar(2, [96, 96, 80, 81]),
    ];
    expect(pricesOf(settle(spot, bars, { stop: "95" }))).toEqual(["95"]);
  });

  test("that only touches is reached, one that is missed by a hair is not", () => {
    expect(pricesOf(settle(spot, [bar(0, [100, 101, 95, 100])], { stop: "95" }))).toEqual(["95"]);
    expect(pricesOf(settle(spot, [bar(0, [100, 101, 95.01, 100])], { stop: "95" }))).toEqual([]);
  });
});

describe("a target", () => {
  test("is filled at the target although the price fell again", () => {
    const settled = settle(spot, [bar(0, [140, 151, 118, 120])], { target: "150" });
    expect(pricesOf(settled)).toEqual(["150"]);
  });

  test("that the open gapped over is filled at the open", () => {
    expect(pricesOf(settle(spot, [bar(0, [160, 161, 140, 141])], { target: "150" }))).toEqual([
      "160",
    ]);
    expect(pricesOf(settle(short, [bar(0, [80, 99, 79, 98])], { target: "90" }))).toEqual(["80"]);
  });

  test("is not reached by what a bar did before the entry, a stop is", () => {
    const late = fold(ledgerOf("spot"), [fillOf("BUY", "50", { at: T0 + HOUR / 2 })]).ledger;
    const wide = [bar(0, [100, 151, 94, 120])];
    expect(pricesOf(settle(late, wide, { target: "150" }))).toEqual([]);
    expect(pricesOf(settle(late, [bar(0, [100, 155, 94, 151])], { target: "150" }))).toEqual([
      "150",
    ]);
    expect(pricesOf(settle(late, wide, { stop: "95" }))).toEqual(["95"]);
  });
});

describe("a feed without bars", () => {
  const seen = (quote: Partial<Quote>, levels: Levels, ledger = spot) =>
    pricesOf(settle(ledger, quoteOf(BTC, quote.price ?? "100", quote), levels));

  test("fills at the level its range went through, and at the price of now when that jumped", () => {
    expect(seen({ low: "94", high: "101", price: "99" }, { stop: "95" })).toEqual(["95"]);
    expect(seen({ price: "89" }, { stop: "95" })).toEqual(["89"]);
    expect(seen({ high: "111" }, { target: "110" })).toEqual(["110"]);
    expect(seen({ price: "120" }, { target: "110" })).toEqual(["120"]);
  });

  test("a stale price still lets a position out, but does not liquidate it", () => {
    expect(seen({ price: "90", quality: "stale" }, { stop: "95" })).toEqual(["90"]);
    const { ledger } = fold(ledgerOf("perpetual", "1000"), [fillOf("BUY", "50")]);
    const stale = { price: "10", quality: "stale" } as const;
    expect(seen(stale, { terms: PERPETUAL }, ledger)).toEqual([]);
  });

  test("extremes from before the entry, no price and no quote trigger nothing", () => {
    expect(seen({ low: "90", at: T0 }, { stop: "95" })).toEqual([]);
    expect(seen({ price: "NaN" }, { stop: "1000" })).toEqual([]);
    expect(settleExits(input(spot, {}, { stop: "1000" })).exits).toEqual([]);
    expect(seen({ price: "80", low: "0", high: "0" }, { stop: "95" })).toEqual(["80"]);
  });
});

describe("an exit that a bar's volume does not fill", () => {
  const thin = bar(0, [100, 101, 94, 96], 100);

  test("is filled in part, and the rest is an exit under way", () => {
    const settled = settle(spot, [thin], { stop: "95" });
    expect(settled.exits[0]?.report).toMatchObject({
      status: "partial",
      fills: [{ quantity: "10", price: "95" }],
      reason:
        "filled 10 of 50: at most 0.1 of the bar's volume 100; the rest goes on at the next chance",
    });
    expect(settled.open).toEqual([
      { symbol: BTC, cause: "stop_loss", remaining: "40", since: T0 + HOUR },
    ]);
  });

  test("goes on at the open of the next bar, within the tick and after it, until nothing is left", () => {
    const rest = [bar(1, [97, 99, 96, 98], 200), bar(2, [96, 97, 90, 91], 9000)];
    const inOne = settle(spot, [thin, ...rest], { stop: "95" });
    expect(fillsOf(inOne)).toEqual(["10 at 95", "20 at 97", "20 at 96"]);
    expect(inOne).toMatchObject({ open: [], ledger: { positions: {} } });

    const first = settle(spot, [thin], { stop: "95" });
    const next = { exits: first.open, seenUntil: T0 + HOUR, stop: "95" };
    const second = settle(first.ledger, rest, next);
    expect(fillsOf(second)).toEqual(["20 at 97", "20 at 96"]);
    expect(second.exits[0]?.order.note).toBe("the exit at the stop loss goes on");
    expect(second.ledger).toEqual({ ...inOne.ledger });
  });

  test("waits without an order while no bar has closed and the last has given all", () => {
    const first = settle(spot, [thin], { stop: "95" });
    const taken = [{ symbol: BTC, barCloseAt: T0 + HOUR, quantity: "10" }];
    const quote = quoteOf(BTC, "96", { at: T0 + HOUR, barVolume: "100", bars: [] });
    const next = { exits: first.open, seenUntil: T0 + HOUR, taken };
    const waiting = settle(first.ledger, quote, next);
    expect(waiting).toMatchObject({ exits: [], open: first.open });
  });

  test("waits while there is no price, and is kept", () => {
    const open: OpenExit[] = [{ symbol: BTC, cause: "signal", remaining: "40", since: T0 }];
    const settled = settleExits(input(spot, {}, { exits: open }));
    expect(settled).toMatchObject({ exits: [], open });
  });

  test("asked for while a bar was under way goes on at that bar's close", () => {
    const since = T0 + HOUR / 6;
    const exits: OpenExit[] = [{ symbol: BTC, cause: "signal", remaining: "50", since }];
    const settled = settle(spot, [bar(0, [120, 121, 94, 96])], { exits, seenUntil: since });
    expect(fillsOf(settled)).toEqual(["50 at 96"]);
  });

  test("is not held back where the volume is not known, and is where nobody traded", () => {
    const unknown = { ...thin, volume: null };
    expect(fillsOf(settle(spot, [unknown], { stop: "95" }))).toEqual(["50 at 95"]);
    const none = settle(spot, [{ ...thin, volume: "0" }], { stop: "95" });
    expect(none.exits[0]?.report).toMatchObject({ status: "rejected", fills: [] });
    expect(none.open).toMatchObject([{ remaining: "50" }]);
  });

  test("of a part becomes one of the whole when the stop is reached meanwhile", () => {
    const exits: OpenExit[] = [{ symbol: BTC, cause: "signal", remaining: "20", since: T0 }];
    const settled = settle(spot, [bar(0, [100, 101, 94, 96], 50)], { exits, stop: "95" });
    // The bar's 5 are given at its open; the stop inside it finds nothing left.
    expect(fillsOf(settled)).toEqual(["5 at 100"]);
    expect(settled.open).toMatchObject([{ cause: "stop_loss", remaining: "45" }]);
  });

  test("never closes more than is held", () => {
    const exits: OpenExit[] = [{ symbol: BTC, cause: "signal", remaining: "70", since: T0 }];
    const settled = settle(spot, [bar(0, [100, 101, 99, 100], 9000)], { exits });
    expect(fillsOf(settled)).toEqual(["50 at 100"]);
  });

  test("keeps to the venue's step, but for the last remainder", () => {
    const rules = { quantityStep: "3" };
    const settled = settle(spot, [thin, bar(1, [97, 99, 96, 98], 9000)], { stop: "95", rules });
    expect(fillsOf(settled)).toEqual(["9 at 95", "41 at 97"]);
  });
});

describe("a liquidation", () => {
  // 1 000 at 100.03 on 10 000: liquidated at (100 030 − 9 949.985) ÷ 995.
  const leveraged = fold(ledgerOf("perpetual"), [
    fillOf("BUY", "1000", {
      price: "100.03",
      leverage: 20,
      fee: { amount: "50.015", currency: "quote" },
    }),
  ]).ledger;

  test("takes the position at its price or worse, and the margin is gone", () => {
    const settled = settle(leveraged, [bar(0, [100, 102, 90, 101], 1)], { terms: PERPETUAL });
    const [fill] = settled.exits[0]?.report.fills ?? [];
    expect(Number(fill?.price)).toBeLessThan(90.54);
    expect(Number(fill?.price)).toBeGreaterThan(90.4);
    expect(settled.exits[0]?.order.note).toMatch(/^liquidated: the price crossed 90\.53/);
    expect(settled.ledger).toMatchObject({ cash: "0", positions: {}, losingTrades: 1 });
    expect(identityOf(settled.ledger, viewAt(settled.ledger))).toBe("0");
  });

  test.each([70, 50, 1])("at a gap to %s costs no more than the account has", (open) => {
    const gap = [bar(0, [open, open + 1, open / 2, open])];
    const { ledger } = settle(leveraged, gap, { terms: PERPETUAL });
    expect(ledger).toMatchObject({ cash: "0", positions: {} });
  });

  test("of a short at a gap upwards leaves nothing and no debt", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [
      fillOf("SELL", "1000.000000000000000007", { price: "99.97" }),
    ]);
    const settled = settle(ledger, [bar(0, [180, 190, 170, 175])], { terms: PERPETUAL });
    expect(settled.ledger).toMatchObject({ cash: "0", positions: {} });
  });

  test("comes after a stop on its way, and takes what the stop could not sell", () => {
    const levels = { stop: "95", terms: PERPETUAL };
    const thin = settle(leveraged, [bar(0, [100, 102, 80, 101], 1000)], levels);
    expect(fillsOf(thin)[0]).toMatch(/^100 at 94\.97/);
    expect(thin.exits[0]?.outcome.cause).toBe("liquidation");
    expect(thin.ledger).toMatchObject({ cash: "0", positions: {} });
    const deep = settle(leveraged, [bar(0, [100, 102, 80, 101], 10_000)], levels);
    expect(deep.exits[0]?.outcome.cause).toBe("stop_loss");
    expect(Number(deep.ledger.cash)).toBeGreaterThan(4000);
  });

  test("comes before a stop that lies beyond it", () => {
    const settled = settle(leveraged, [bar(0, [100, 102, 80, 101])], {
      stop: "85",
      terms: PERPETUAL,
    });
    expect(settled.exits[0]?.outcome.cause).toBe("liquidation");
    expect(pricesOf(settled)[0]).toMatch(/^90\.5/);
  });

  test("of an isolated position costs its margin and leaves the rest of the account", () => {
    const model: LiquidationModel = {
      ...PAPER_LIQUIDATION,
      formula: "binance",
      marginMode: "isolated",
    };
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "100", { leverage: 10 })]);
    const settled = settle(ledger, [bar(0, [70, 71, 60, 65])], {
      terms: { ...PERPETUAL, liquidation: model },
    });
    expect(settled.ledger).toMatchObject({ cash: "9000", positions: {} });
  });

  test("of one position in a cross wallet leaves the others their margin, and no debt", () => {
    const { ledger } = fold(ledgerOf("perpetual", "3000"), [
      fillOf("BUY", "100", { leverage: 10 }),
      fillOf("BUY", "100", { symbol: ETH, leverage: 10 }),
    ]);
    const quotes = {
      [BTC]: quoteWith([bar(0, [60, 61, 50, 55])]),
      [ETH]: { ...quoteWith([bar(0, [100, 101, 99, 100])]), symbol: ETH },
    };
    const settled = settleExits(input(ledger, quotes, { terms: PERPETUAL }));
    const market = marketOf(quotes);
    const { view } = valuePortfolio(settled.ledger, market, { maxLeverage: 1 });
    expect(settled.ledger.positions[BTC]).toBeUndefined();
    expect(Number(view.totalValue)).toBeGreaterThanOrEqual(0);
    expect(view.totalValue).toBe(identityOf(settled.ledger, view));
  });
});

describe("funding of the time between two looks", () => {
  const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]);
  const payment = (hours: number): FundingEvent => ({
    symbol: BTC,
    at: T0 + hours * HOUR,
    rate: "0.01",
    markPrice: "100",
  });

  test("is paid by what was held then, once", () => {
    const bars = [bar(0, [100, 101, 99, 100]), bar(1, [100, 101, 99, 100])];
    const funding = [payment(1), payment(2)];
    expect(settle(ledger, bars, { funding }).ledger.fundingNet).toBe("-20");
    const later = settle(ledger, bars, { funding, seenUntil: T0 + HOUR });
    expect(later.ledger.fundingNet).toBe("-10");
  });

  test("is not paid by a position that left before it", () => {
    const bars = [bar(0, [100, 101, 94, 96]), bar(1, [97, 99, 96, 98])];
    const funding = [payment(0.5), payment(1.5)];
    expect(settle(ledger, bars, { funding, stop: "95" }).ledger.fundingNet).toBe("-10");
  });

  test("is paid in a gap between two bars, before the open that ends it", () => {
    const bars = [bar(0, [100, 101, 99, 100]), bar(5, [90, 91, 89, 90])];
    const settled = settle(ledger, bars, { funding: [payment(3)], stop: "95" });
    expect(pricesOf(settled)).toEqual(["90"]);
    expect(settled.ledger.fundingNet).toBe("-10");
  });

  test("can be what brings the liquidation", () => {
    const thin = fold(ledgerOf("perpetual", "60"), [fillOf("BUY", "10")]).ledger;
    const bars = [bar(0, [100, 101, 95, 100])];
    const settled = settle(thin, bars, { terms: PERPETUAL, funding: [payment(0.5)] });
    expect(settled.ledger).toMatchObject({ cash: "0", positions: {} });
    expect(settle(thin, bars, { terms: PERPETUAL }).exits).toEqual([]);
  });
});

interface Levels {
  stop?: string;
  target?: string;
  terms?: PaperTerms;
  exits?: OpenExit[];
  seenUntil?: number;
  taken?: TakenVolume[];
  funding?: FundingEvent[];
  rules?: { quantityStep: string };
}

function settle(ledger: Ledger, seen: Bar[] | Quote, levels: Levels): Settlement {
  const quote = Array.isArray(seen) ? quoteWith(seen) : seen;
  return settleExits(input(ledger, { [BTC]: quote }, levels));
}

function input(ledger: Ledger, quotes: Record<string, Quote>, levels: Levels) {
  const at = Math.max(T0 + HOUR, ...Object.values(quotes).map((quote) => quote.at));
  const terms = levels.terms ?? FREE;
  const protection: Protection = {
    symbol: BTC,
    stopLoss: levels.stop ?? null,
    takeProfit: levels.target ?? null,
  };
  const volumes = new BarVolumes(terms.volumeShare, levels.taken ?? []);
  return {
    composeId: COMPOSE_ID,
    ledger,
    protections: [protection],
    exits: levels.exits ?? [],
    market: { ...marketOf(quotes, at), funding: levels.funding ?? [] },
    seenUntil: levels.seenUntil ?? T0,
    terms,
    rulesOf: (symbol: string) => ({ ...NO_RULES, ...levels.rules, symbol }),
    volumes: () => volumes,
  };
}

/** The bar of hour `index`: open, high, low, close. */
function bar(index: number, prices: [number, number, number, number], volume = 1_000_000): Bar {
  const openAt = T0 + index * HOUR;
  const [open = "", high = "", low = "", close = ""] = prices.map(String);
  return { openAt, closeAt: openAt + HOUR, open, high, low, close, volume: String(volume) };
}

function quoteWith(bars: Bar[]): Quote {
  const last = bars.at(-1);
  return quoteOf(BTC, last?.close ?? "", {
    at: last?.closeAt ?? 0,
    low: String(Math.min(...bars.map(({ low }) => Number(low)))),
    high: String(Math.max(...bars.map(({ high }) => Number(high)))),
    barVolume: last?.volume ?? null,
    bars,
  });
}

function viewAt(ledger: Ledger) {
  return valuePortfolio(ledger, marketOf({}), { maxLeverage: 1 }).view;
}

function pricesOf({ exits }: Settlement): string[] {
  return exits.flatMap(({ report }) => report.fills.map(({ price }) => price));
}

function fillsOf({ exits }: Settlement): string[] {
  return exits.flatMap(({ report }) =>
    report.fills.map(({ quantity, price }) => `${quantity} at ${price}`),
  );
}
