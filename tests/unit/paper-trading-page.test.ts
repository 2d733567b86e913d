import { readFileSync } from "node:fs";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { BarVolumes } from "#domain/bar-volumes.ts";
import { fixed, fixedOf, fixedString, smaller } from "#domain/fixed.ts";
import { applyEntryFunding, valuePortfolio } from "#domain/ledger.ts";
import type { Bar, Quote } from "#domain/market.ts";
import { type PaperTerms, slipped } from "#domain/paper-terms.ts";
import type { Ledger } from "#domain/portfolio.ts";
import { settleExits } from "#domain/settle-exits.ts";
import type { PaperChannel } from "#ports/trade-channel.ts";
import {
  BTC,
  COMPOSE_ID,
  HOUR,
  NO_RULES,
  T0,
  fillOf,
  fold,
  ledgerOf,
  marketOf,
  quoteOf,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";

// The page is for traders, who believe its numbers: each table row and each amount is computed here.
const page = readFileSync(new URL("../../docs/paper-trading.md", import.meta.url), "utf8");
const perpetual = paper("binance_perp");
const plain: PaperTerms = {
  feeRate: 0n,
  slippage: 0n,
  volumeShare: perpetual.terms.volumeShare,
  liquidation: null,
  fundingGraceMs: 0,
};

describe("the page on paper trading", () => {
  const exits = tables("| held | stop | target | bars since the last look | filled |");
  test("has its examples", () => expect(exits.length).toBeGreaterThan(10));

  test.each(exits)("%s, stop %s, target %s: %s: %s", (...row) => {
    const [held, stop, target, bars, filled] = row;
    const [side, quantity = ""] = (held ?? "").split(" ");
    const { ledger } = fold(ledgerOf("perpetual", "1000000"), [
      fillOf(side === "short" ? "SELL" : "BUY", quantity),
    ]);
    const levels = { stop: levelOf(stop), target: levelOf(target), terms: plain };
    expect(fillsOf(settle(ledger, barsIn(bars), levels))).toBe(filled);
  });

  const liquidated = tables("| held | bars since the last look | filled | account afterwards |");
  test.each(liquidated)("an account of 10 000, %s: %s: %s, %s left", (...row) => {
    const [, bars, filled, equity] = row;
    const { ledger } = leveraged();
    const seen = barsIn(bars);
    const settled = settle(ledger, seen, { stop: null, target: null, terms: perpetual.terms });
    expect(fillsOf(settled, 4)).toBe(filled);
    const market = marketOf({ [BTC]: quoteWith(seen) });
    const { view } = valuePortfolio(settled.ledger, market, { maxLeverage: 1 });
    expect(view.totalValue).toBe(equity);
  });

  test("the liquidation price is that of the example", () => {
    const options = { maxLeverage: 1, liquidation: perpetual.terms.liquidation };
    const { view } = valuePortfolio(leveraged().ledger, marketOf({ [BTC]: "100.03" }), options);
    const price = view.holdings[0]?.liquidationPrice ?? "none";
    expect(page).toContain(`the liquidation price is ${Number(price).toFixed(4)}.`);
    expect(page).toContain("at 70 the account would owe 20 080");
    expect(Number(view.cash) + (70 - 100.03) * 1000).toBeCloseTo(-20_080.015, 6);
  });

  test("a bar gives once what the table on volume says", () => {
    const rows = tables("| what | bar's volume | asked | filled |");
    const volumes = new BarVolumes(perpetual.terms.volumeShare);
    let barCloseAt = 0;
    for (const [what, volume = "", asked = "", filled] of rows) {
      if (what?.includes("next bar") === true) barCloseAt += 1;
      const source = { symbol: BTC, barCloseAt, volume };
      const given = smaller(volumes.available(source) ?? 0n, fixed(asked));
      volumes.take(source, given);
      expect(fixedString(given)).toBe(filled);
    }
    expect(rows).toHaveLength(4);
  });

  test("a stop at 95 is sold with the slippage named", () => {
    const { terms } = paper("binance_spot");
    const price = fixedString(slipped(fixed("95"), false, terms));
    expect(page).toContain("with 5 hundredths of a percent of slippage");
    expect(page).toContain(`sells at ${price}.`);
  });

  test("the payment of the example on funding is what is paid", () => {
    const { ledger, legs } = fold(ledgerOf("perpetual"), [fillOf("SELL", "30", { price: "2.77" })]);
    const event = { symbol: BTC, at: T0, rate: "-0.000008", markPrice: "2.77" };
    const funded = applyEntryFunding(ledger, legs, { funding: [event], graceMs: 0 });
    expect(page).toContain(`pays ${funded.fundingNet.slice(1)}.`);
    expect(page).toContain(`${perpetual.terms.fundingGraceMs / 1000} seconds after it`);
  });

  test("selling four times in profit what was bought once is one trade won", () => {
    const sales = Array.from({ length: 4 }, () => fillOf("SELL", "10", { price: "110" }));
    const { ledger } = fold(ledgerOf("spot"), [fillOf("BUY", "40"), ...sales]);
    expect(ledger).toMatchObject({ winningTrades: 1, losingTrades: 0, totalTrades: 5 });
  });
});

/** 1 000 at 100.03 on 10 000, as the page says. */
function leveraged() {
  const fee = { amount: "50.015", currency: "quote" } as const;
  return fold(ledgerOf("perpetual"), [
    fillOf("BUY", "1000", { price: "100.03", leverage: 20, fee }),
  ]);
}

/** The rows of every table with this header. */
function tables(header: string): string[][] {
  const lines = page.split("\n");
  const starts = lines.flatMap((line, index) => (line === header ? [index + 2] : []));
  return starts.flatMap((start) => {
    const end = lines.findIndex((line, index) => index >= start && !line.startsWith("|"));
    return lines.slice(start, end).map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  });
}

function levelOf(cell: string | undefined): string | null {
  return cell === undefined || cell === "–" ? null : cell;
}

/** `open high low close · volume, …` */
function barsIn(cell: string | undefined): Bar[] {
  return (cell ?? "").split(", ").map((part, index) => {
    const [prices = "", volume = "100000000"] = part.split(" · ");
    const [open = "", high = "", low = "", close = ""] = prices.split(" ");
    const openAt = T0 + index * HOUR;
    return { openAt, closeAt: openAt + HOUR, open, high, low, close, volume };
  });
}

function settle(
  ledger: Ledger,
  bars: Bar[],
  levels: { stop: string | null; target: string | null; terms: PaperTerms },
) {
  const quote = quoteWith(bars);
  const volumes = new BarVolumes(levels.terms.volumeShare);
  return settleExits({
    composeId: COMPOSE_ID,
    ledger,
    protections: [{ symbol: BTC, stopLoss: levels.stop, takeProfit: levels.target }],
    exits: [],
    market: marketOf({ [BTC]: quote }, quote.at),
    seenUntil: T0,
    terms: levels.terms,
    rulesOf: (symbol) => ({ ...NO_RULES, symbol }),
    volumes: () => volumes,
  });
}

function fillsOf({ exits }: ReturnType<typeof settle>, digits?: number): string {
  const fills = exits.flatMap(({ report }) => report.fills);
  const written = (price: string) => (digits === undefined ? price : Number(price).toFixed(digits));
  const text = fills.map(({ quantity, price }) => `${quantity} at ${written(price)}`).join(", ");
  return text === "" ? "nothing" : text;
}

function quoteWith(bars: Bar[]): Quote {
  const last = bars.at(-1);
  const [lows, highs] = [bars.map(({ low }) => Number(low)), bars.map(({ high }) => Number(high))];
  return quoteOf(BTC, last?.close ?? "", {
    at: last?.closeAt ?? 0,
    low: fixedString(fixedOf(Math.min(...lows))),
    high: fixedString(fixedOf(Math.max(...highs))),
    barVolume: last?.volume ?? null,
    bars,
  });
}

function paper(name: string): PaperChannel {
  const channel = createChannelRegistry().get(name);
  if (channel.kind !== "paper") throw new Error(`${name} is no paper channel`);
  return channel;
}
