import { Decimal } from "#domain/decimal.ts";
import { fixed, fixedString, multiply, divide } from "#domain/fixed.ts";
import { applyFill, applyFunding, applyTransfer, valuePortfolio } from "#domain/ledger.ts";
import type { Ledger, TradeLeg } from "#domain/portfolio.ts";
import { roundTrips } from "#domain/round-trip.ts";
import type { Fill, MarketType } from "#domain/trading.ts";
import {
  BTC,
  COMPOSE_ID,
  ETH,
  T0,
  fillOf,
  identityOf,
  ledgerOf,
  marketOf,
} from "#support/domain-kit.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const SYMBOLS = [BTC, ETH, "SOL-USDT"];
const RUNS = { numRuns: 400 };

type Event =
  | { kind: "fill"; fill: Fill }
  | { kind: "funding"; symbol: string; rate: string; markPrice: string }
  | { kind: "transfer"; amount: string };

const symbolArb = fc.constantFrom(...SYMBOLS);
/** Up to `digits` before the point and all 18 after it. */
const amountArb = (digits: number, min = 1n) =>
  fc.bigInt({ min, max: 10n ** BigInt(digits + 18) }).map(fixedString);
const signedArb = (digits: number) =>
  fc.bigInt(-(10n ** BigInt(digits + 18)), 10n ** BigInt(digits + 18)).map(fixedString);

const fillArb: fc.Arbitrary<Fill> = fc
  .record({
    symbol: symbolArb,
    side: fc.constantFrom("BUY" as const, "SELL" as const),
    // Small whole numbers now and then, so that positions are closed exactly as well.
    quantity: fc.oneof(amountArb(4), fc.integer({ min: 1, max: 3 }).map(String)),
    price: amountArb(6),
    feeShare: fc.bigInt(0n, 5n * 10n ** 15n),
    currency: fc.constantFrom("quote" as const, "base" as const),
    leverage: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ feeShare, currency, ...fill }) => {
    const base = multiply(fixed(fill.quantity), feeShare);
    const amount = currency === "base" ? base : multiply(base, fixed(fill.price));
    return fillOf(fill.side, fill.quantity, {
      ...fill,
      fee: { amount: fixedString(amount), currency },
    });
  });

const eventArb: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fillArb.map((fill): Event => ({ kind: "fill", fill })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ symbol: symbolArb, rate: signedArb(-2), markPrice: amountArb(6) })
      .map((event): Event => ({ kind: "funding", ...event })),
  },
  {
    weight: 1,
    arbitrary: signedArb(5).map((amount): Event => ({ kind: "transfer", amount })),
  },
);
const pricesArb = fc.record(Object.fromEntries(SYMBOLS.map((symbol) => [symbol, amountArb(6)])));
const marketTypeArb = fc.constantFrom<MarketType>("spot", "perpetual");

describe("the ledger identity (I10)", () => {
  test("equity is initial, transfers, realized and unrealized after any sequence", () => {
    fc.assert(
      fc.property(
        marketTypeArb,
        fc.array(eventArb, { maxLength: 40 }),
        pricesArb,
        (type, events, prices) => {
          let ledger = ledgerOf(type, "100000");
          for (const [index, event] of events.entries()) {
            ledger = apply(ledger, event, index);
            const valued = valuePortfolio(ledger, marketOf(prices), { maxLeverage: 3 });
            expect(valued.view.totalValue).toBe(identityOf(ledger, valued.view));
            ledger = valued.ledger;
          }
        },
      ),
      RUNS,
    );
  });

  test("it holds at the last marks where no quote is left", () => {
    fc.assert(
      fc.property(marketTypeArb, fc.array(eventArb, { maxLength: 20 }), (type, events) => {
        const ledger = events.reduce(apply, ledgerOf(type));
        const { view } = valuePortfolio(ledger, marketOf({}), { maxLeverage: 1 });
        expect(view.totalValue).toBe(identityOf(ledger, view));
        expect(view.holdings.every(({ markQuality }) => markQuality === "stale")).toBe(true);
      }),
      RUNS,
    );
  });
});

describe("what a ledger holds", () => {
  test("is the sum of what moved, and nothing is ever held at zero", () => {
    fc.assert(
      fc.property(fc.array(fillArb, { maxLength: 40 }), (fills) => {
        const ledger = fills.map(toEvent).reduce(apply, ledgerOf("perpetual"));
        for (const symbol of SYMBOLS) {
          const moved = fills
            .filter((fill) => fill.symbol === symbol)
            .map(({ side, quantity }) => (side === "BUY" ? quantity : `-${quantity}`));
          const expected = Decimal.sum(0, ...moved).toFixed();
          expect(ledger.positions[symbol]?.quantity ?? "0").toBe(expected);
        }
      }),
      RUNS,
    );
  });

  test("closing legs carry exactly the realized result, entry fees of open parts aside", () => {
    fc.assert(
      fc.property(marketTypeArb, fc.array(fillArb, { maxLength: 30 }), (type, fills) => {
        let ledger = ledgerOf(type);
        const results: string[] = [];
        for (const [index, fill] of fills.entries()) {
          const booked = applyFill(ledger, fill, { instructionId: COMPOSE_ID, fillIndex: index });
          ledger = booked.ledger;
          results.push(...booked.legs.flatMap(({ realizedPnl }) => realizedPnl ?? []));
        }
        const open = Object.values(ledger.positions).map(({ entryFees }) => entryFees);
        const booked = Decimal.sum(0, ...results).minus(Decimal.sum(0, ...open));
        expect(booked.toFixed()).toBe(ledger.realizedPnl);
      }),
      RUNS,
    );
  });

  test("the round trips counted are those that the legs tell of", () => {
    fc.assert(
      fc.property(marketTypeArb, fc.array(fillArb, { maxLength: 30 }), (type, fills) => {
        let ledger = ledgerOf(type);
        const legs: TradeLeg[] = [];
        for (const [index, fill] of fills.entries()) {
          const booked = applyFill(ledger, fill, { instructionId: COMPOSE_ID, fillIndex: index });
          ledger = booked.ledger;
          legs.push(...booked.legs);
        }
        const trips = roundTrips(legs).map(fixed);
        expect(ledger.winningTrades).toBe(trips.filter((result) => result > 0n).length);
        expect(ledger.losingTrades).toBe(trips.filter((result) => result < 0n).length);
      }),
      RUNS,
    );
  });

  test("legs of a fill add up to the fill in quantity and fee, with ids of their own", () => {
    fc.assert(
      fc.property(fc.array(fillArb, { minLength: 1, maxLength: 30 }), (fills) => {
        let ledger = ledgerOf("perpetual");
        const ids = new Set<string>();
        let legCount = 0;
        for (const [index, fill] of fills.entries()) {
          const before = ledger.feesPaid;
          const booked = applyFill(ledger, fill, { instructionId: COMPOSE_ID, fillIndex: index });
          ledger = booked.ledger;
          legCount += booked.legs.length;
          for (const { tradeId } of booked.legs) ids.add(tradeId);
          const quantity = Decimal.sum(...booked.legs.map((leg) => leg.quantity));
          const fee = Decimal.sum(...booked.legs.map((leg) => leg.feeCost));
          expect(quantity.toFixed()).toBe(new Decimal(fill.quantity).toFixed());
          expect(fee.toFixed()).toBe(new Decimal(ledger.feesPaid).minus(before).toFixed());
        }
        expect(ids.size).toBe(legCount);
      }),
      RUNS,
    );
  });
});

describe("order of events", () => {
  test("fills of different symbols may come in any order", () => {
    fc.assert(
      fc.property(marketTypeArb, fc.array(fillArb, { maxLength: 12 }), (type, fills) => {
        const ledger = fills.map(toEvent).reduce(apply, ledgerOf(type));
        const bySymbol = SYMBOLS.flatMap((symbol) =>
          fills.filter((fill) => fill.symbol === symbol),
        );
        const regrouped = bySymbol.map(toEvent).reduce(apply, ledgerOf(type));
        expect(regrouped).toEqual(ledger);
      }),
      RUNS,
    );
  });

  test("a fill in two halves at one price leaves the same position and money", () => {
    fc.assert(
      fc.property(marketTypeArb, fc.array(fillArb, { maxLength: 6 }), (type, fills) => {
        const ledger = fills.map(toEvent).reduce(apply, ledgerOf(type));
        const [whole, halves] = [["4"], ["2", "2"]].map((parts) =>
          parts
            .map((quantity) => toEvent(fillOf("BUY", quantity, { price: "101.5" })))
            .reduce(apply, ledger),
        );
        expect(halves?.positions[BTC]?.quantity).toBe(whole?.positions[BTC]?.quantity);
        // Two closings round their share of the cost twice.
        expect(Math.abs(difference(halves?.cash, whole?.cash))).toBeLessThan(1e-17);
      }),
      RUNS,
    );
  });
});

test("division and multiplication undo each other to the last decimal but one", () => {
  fc.assert(
    fc.property(amountArb(6, 10n ** 18n), amountArb(6, 10n ** 18n), (left, right) => {
      const back = multiply(divide(fixed(left), fixed(right)), fixed(right));
      expect(Math.abs(Number(back - fixed(left)))).toBeLessThanOrEqual(Number(right));
    }),
  );
});

function apply(ledger: Ledger, event: Event, index: number): Ledger {
  if (event.kind === "transfer") return applyTransfer(ledger, event.amount);
  if (event.kind === "funding") return applyFunding(ledger, { ...event, at: T0 + 1 });
  return applyFill(ledger, event.fill, { instructionId: COMPOSE_ID, fillIndex: index }).ledger;
}

function toEvent(fill: Fill): Event {
  return { kind: "fill", fill };
}

function difference(left: string | undefined, right: string | undefined): number {
  return new Decimal(left ?? Number.NaN).minus(right ?? 0).toNumber();
}
