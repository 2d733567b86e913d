import { BarVolumes } from "#domain/bar-volumes.ts";
import { absolute, fixed, fixedOf, fixedString, multiply } from "#domain/fixed.ts";
import { valuePortfolio } from "#domain/ledger.ts";
import type { Bar, Quote } from "#domain/market.ts";
import type { PaperTerms } from "#domain/paper-terms.ts";
import { PAPER_LIQUIDATION, type LiquidationModel } from "#domain/perpetual.ts";
import type { Ledger } from "#domain/portfolio.ts";
import { settleExits } from "#domain/settle-exits.ts";
import type { OpenExit, TakenVolume } from "#domain/exit.ts";
import type { MarketType } from "#domain/trading.ts";
import {
  BTC,
  COMPOSE_ID,
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
import fc from "fast-check";
import { expect, test } from "vitest";

const SHARE = fixedOf(0.1);
const RUNS = { numRuns: 600 };
const ISOLATED: LiquidationModel = {
  ...PAPER_LIQUIDATION,
  formula: "binance",
  marginMode: "isolated",
};

/** Prices wander by up to a half per bar: gaps and bars that reach everything are common. */
const barsArb = fc
  .array(
    fc.record({
      open: fc.double({ min: 0.5, max: 1.5, noNaN: true }),
      high: fc.double({ min: 0, max: 0.5, noNaN: true }),
      low: fc.double({ min: 0, max: 0.5, noNaN: true }),
      close: fc.double({ min: 0, max: 1, noNaN: true }),
      volume: fc.option(fc.integer({ min: 0, max: 2000 }), { freq: 5 }),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((moves) => {
    let last = 100;
    return moves.map((move, index): Bar => {
      const open = last * move.open;
      const [low, high] = [open * (1 - move.low), open * (1 + move.high)];
      last = low + (high - low) * move.close;
      const openAt = T0 + index * HOUR;
      const prices = { open: text(open), high: text(high), low: text(low), close: text(last) };
      const volume = move.volume === null ? null : String(move.volume);
      return { openAt, closeAt: openAt + HOUR, ...prices, volume };
    });
  });

const caseArb = fc.record({
  marketType: fc.constantFrom<MarketType>("spot", "perpetual"),
  isolated: fc.boolean(),
  short: fc.boolean(),
  quantity: fc.integer({ min: 1, max: 900 }),
  stop: fc.option(fc.double({ min: 0.5, max: 1, noNaN: true })),
  target: fc.option(fc.double({ min: 1, max: 1.6, noNaN: true })),
  perTick: fc.integer({ min: 1, max: 4 }),
  slippage: fc.constantFrom(0, 0.0005, 0.03),
  bars: barsArb,
});

test("whatever the market does, no exit takes more than there is, and no account ends below zero", () => {
  fc.assert(
    fc.property(caseArb, (one) => {
      const short = one.short && one.marketType === "perpetual";
      const at = { leverage: 10, at: T0 };
      const opened = fold(
        ledgerOf(one.marketType, one.marketType === "spot" ? "100000" : "10000"),
        [fillOf(short ? "SELL" : "BUY", String(one.quantity), at)],
      ).ledger;
      const terms: PaperTerms = {
        feeRate: fixedOf(0.0005),
        slippage: fixedOf(one.slippage),
        volumeShare: SHARE,
        liquidation: one.marketType === "spot" ? null : one.isolated ? ISOLATED : PAPER_LIQUIDATION,
        fundingGraceMs: 0,
      };
      const protection = {
        symbol: BTC,
        stopLoss: one.stop === null ? null : text(short ? 200 - 100 * one.stop : 100 * one.stop),
        takeProfit:
          one.target === null ? null : text(short ? 200 - 100 * one.target : 100 * one.target),
      };
      const given = new Map<number, bigint>();
      let state: State = { ledger: opened, exits: [], taken: [], seenUntil: T0 };
      for (let from = 0; from < one.bars.length; from += one.perTick) {
        const bars = one.bars.slice(from, from + one.perTick);
        const before = state.ledger;
        const next = step(state, { bars, terms, protection });
        expect(sizeOf(next.ledger)).toBeLessThanOrEqual(sizeOf(before));
        expect(signOf(next.ledger) * signOf(before)).not.toBe(-1);
        expectMoney(next.ledger, one.marketType);
        if (sizeOf(next.ledger) === 0n) expect(next.exits).toEqual([]);
        for (const { symbol: _, barCloseAt, quantity } of next.taken) {
          given.set(barCloseAt, fixed(quantity));
        }
        state = next;
      }
      for (const { closeAt, volume } of one.bars) {
        if (volume === null) continue;
        expect(given.get(closeAt) ?? 0n).toBeLessThanOrEqual(multiply(fixed(volume), SHARE));
      }
    }),
    RUNS,
  );
});

interface State {
  ledger: Ledger;
  exits: OpenExit[];
  taken: TakenVolume[];
  seenUntil: number;
}

function step(
  state: State,
  { bars, terms, protection }: { bars: Bar[]; terms: PaperTerms; protection: Protection },
): State {
  const quote = quoteWith(bars);
  const market = marketOf({ [BTC]: quote }, quote.at);
  const volumes = new BarVolumes(terms.volumeShare, state.taken);
  const settled = settleExits({
    composeId: COMPOSE_ID,
    ledger: state.ledger,
    protections: [protection],
    exits: state.exits,
    market,
    seenUntil: state.seenUntil,
    terms,
    rulesOf: (symbol) => ({ ...NO_RULES, symbol }),
    volumes: () => volumes,
  });
  for (const { order, report } of settled.exits) {
    const filled = report.fills.reduce((sum, { quantity }) => sum + fixed(quantity), 0n);
    const left = settled.open.reduce((sum, { remaining }) => sum + fixed(remaining), 0n);
    expect(filled + left).toBe(fixed(order.quantity));
    if (terms.liquidation !== null) continue;
    for (const { price } of report.fills) expectWithin(price, bars, order.side === "SELL");
  }
  const { ledger } = valuePortfolio(settled.ledger, market, { maxLeverage: 1 });
  const taken = volumes.remembered(market);
  return { ledger, exits: settled.open, taken, seenUntil: quote.at };
}

type Protection = { symbol: string; stopLoss: string | null; takeProfit: string | null };

/** Nobody trades outside a bar; only a venue that bears a gap pays more. */
function expectWithin(price: string, bars: Bar[], sells: boolean) {
  const best = sells
    ? Math.max(...bars.map(({ high }) => Number(high)))
    : -Math.min(...bars.map(({ low }) => Number(low)));
  expect(sells ? Number(price) : -Number(price)).toBeLessThanOrEqual(best);
}

function expectMoney(ledger: Ledger, marketType: MarketType): void {
  const { view } = valuePortfolio(ledger, marketOf({}), { maxLeverage: 1 });
  expect(view.totalValue).toBe(identityOf(ledger, view));
  const isFlat = view.holdings.length === 0;
  if (marketType === "spot" || isFlat) {
    expect(Number(view.totalValue)).toBeGreaterThanOrEqual(0);
  }
}

function quoteWith(bars: Bar[]): Quote {
  const last = bars.at(-1);
  return quoteOf(BTC, last?.close ?? "", {
    at: last?.closeAt ?? 0,
    low: text(Math.min(...bars.map(({ low }) => Number(low)))),
    high: text(Math.max(...bars.map(({ high }) => Number(high)))),
    barVolume: last?.volume ?? null,
    bars,
  });
}

function sizeOf(ledger: Ledger): bigint {
  return absolute(fixed(ledger.positions[BTC]?.quantity ?? "0"));
}

function signOf(ledger: Ledger): number {
  return Math.sign(Number(ledger.positions[BTC]?.quantity ?? 0));
}

function text(value: number): string {
  return fixedString(fixedOf(value));
}
