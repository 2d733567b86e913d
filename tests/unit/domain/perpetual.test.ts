import { fixedOf, fixedString, multiply } from "#domain/fixed.ts";
import { applyEntryFunding, applyFunding, valuePortfolio } from "#domain/ledger.ts";
import type { FundingEvent } from "#domain/market.ts";
import {
  type Exposure,
  type LiquidationModel,
  type MaintenanceTier,
  PAPER_LIQUIDATION,
  liquidationPrice,
  liquidationPrices,
  liquidations,
} from "#domain/perpetual.ts";
import {
  BTC,
  ETH,
  HOUR,
  T0,
  fillOf,
  fold,
  ledgerOf,
  marketOf,
  quoteOf,
} from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import binance from "../../fixtures/known-answers/freqtrade-liquidation-binance.json" with { type: "json" };
import fundingFees from "../../fixtures/known-answers/freqtrade-funding-fees.json" with { type: "json" };
import isolated from "../../fixtures/known-answers/freqtrade-liquidation-isolated.json" with { type: "json" };

const BINANCE_GRACE_MS = 15_000;

const funding = z
  .object({
    mark_ohlcv_1h: z.array(z.tuple([z.number(), z.number()]).rest(z.number())),
    funding_rates_8h: z.array(z.object({ fundingRate: z.number(), timestamp: z.number() })),
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.object({
          exchange: z.enum(["binance", "gate"]),
          rate_start: z.number(),
          rate_end: z.number(),
          d1: z.string(),
          d2: z.string(),
          amount: z.number(),
        }),
        expected: z.object({ funding_fee_short: z.number(), funding_fee_long: z.number() }),
      }),
    ),
  })
  .parse(fundingFees);

describe("funding over a holding window", () => {
  test.each(funding.cases)("$id pays the recorded amount", ({ input, expected }) => {
    expect(fundingOf(input, "SELL")).toBeCloseTo(expected.funding_fee_short, 9);
    expect(fundingOf(input, "BUY")).toBeCloseTo(expected.funding_fee_long, 9);
  });

  test("a long pays a positive rate out of its wallet and its result", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]);
    const event = { symbol: BTC, at: T0 + HOUR, rate: "0.0001", markPrice: "110" };
    expect(applyFunding(ledger, event)).toMatchObject({
      cash: "9999.89",
      realizedPnl: "-0.11",
      fundingNet: "-0.11",
    });
  });

  // The rows of the same source that the recorded file leaves out, with a fill at a tick.
  test.each([
    { row: "05", openedAt: 0, until: 7, short: -0.0006648 },
    { row: "07", openedAt: 1000, until: 8, short: -0.0009141 },
    { row: "02", openedAt: 15_000, until: 8, short: -0.0002493 },
  ])(
    "row $row: a fill at or shortly after a payment pays it once",
    ({ openedAt, until, short }) => {
      const start = funding.funding_rates_8h[0]?.timestamp ?? 0;
      const events = funding.funding_rates_8h.map(({ fundingRate, timestamp }): FundingEvent => {
        const candle = funding.mark_ohlcv_1h.find(([at]) => at === timestamp);
        return {
          symbol: BTC,
          at: timestamp,
          rate: String(fundingRate),
          markPrice: String(candle?.[1]),
        };
      });
      const fill = fillOf("SELL", "30", { price: "2.7", at: start + openedAt });
      const booked = fold(ledgerOf("perpetual"), [fill]);
      let ledger = applyEntryFunding(booked.ledger, booked.legs, {
        funding: events.filter(({ at }) => at <= start + openedAt),
        graceMs: BINANCE_GRACE_MS,
      });
      for (const event of events) {
        const isLater = event.at > start + openedAt && event.at <= start + until * HOUR;
        if (isLater) ledger = applyFunding(ledger, event);
      }
      expect(Number(ledger.fundingNet)).toBeCloseTo(short, 9);
      expect(Number(ledger.cash)).toBeCloseTo(10_000 + short, 9);
    },
  );

  test("what is added at a payment pays for itself, not again for what was held", () => {
    const held = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]).ledger;
    const event = { symbol: BTC, at: T0 + HOUR, rate: "0.0001", markPrice: "100" };
    const paid = applyFunding(held, event);
    const added = fold(paid, [fillOf("BUY", "5", { at: T0 + HOUR })]);
    const grace = { funding: [event], graceMs: 0 };
    expect(applyEntryFunding(added.ledger, added.legs, grace).fundingNet).toBe("-0.15");
    const closed = fold(paid, [fillOf("SELL", "5", { at: T0 + HOUR })]);
    expect(applyEntryFunding(closed.ledger, closed.legs, grace)).toBe(closed.ledger);
    const elsewhere = { ...grace, funding: [{ ...event, symbol: ETH }] };
    expect(applyEntryFunding(added.ledger, added.legs, elsewhere)).toBe(added.ledger);
  });

  test("nothing is paid on spot or without a position", () => {
    const event = { symbol: BTC, at: T0 + HOUR, rate: "0.0001", markPrice: "110" };
    const spot = fold(ledgerOf("spot"), [fillOf("BUY", "10")]).ledger;
    const flat = ledgerOf("perpetual");
    expect(applyFunding(spot, event)).toBe(spot);
    expect(applyFunding(flat, event)).toBe(flat);
  });
});

function fundingOf(input: (typeof funding.cases)[number]["input"], side: "BUY" | "SELL"): number {
  const openedAt = Date.parse(`${input.d1}Z`);
  const closedAt = Date.parse(`${input.d2}Z`);
  const grace = input.exchange === "binance" ? BINANCE_GRACE_MS : 0;
  const fill = fillOf(side, String(input.amount), { price: "2.7", at: openedAt });
  let { ledger } = fold(ledgerOf("perpetual"), [fill]);
  for (const { fundingRate, timestamp } of funding.funding_rates_8h) {
    if (timestamp > closedAt) continue;
    const candle = funding.mark_ohlcv_1h.find(([at]) => at === timestamp);
    const event = { symbol: BTC, at: timestamp, rate: String(fundingRate) };
    ledger = applyFunding(ledger, { ...event, markPrice: String(candle?.[1]) }, grace);
  }
  return Number(ledger.fundingNet);
}

const tradeSchema = z.object({
  pair: z.string(),
  open_rate: z.number(),
  amount: z.number(),
  mark_price: z.number(),
  mm_ratio: z.number(),
  maintenance_amt: z.number(),
});
const binanceCases = z
  .object({
    cases: z.array(
      z.object({
        pair: z.string(),
        is_short: z.boolean(),
        margin_mode: z.enum(["isolated", "cross"]),
        wallet_balance: z.number(),
        maintenance_amt: z.number(),
        amount: z.number(),
        open_rate: z.number(),
        open_trades: z.array(tradeSchema),
        mm_ratio: z.number(),
        expected: z.number(),
      }),
    ),
  })
  .parse(binance);

describe("Binance's documented examples", () => {
  test.each(binanceCases.cases)("$pair $margin_mode is liquidated at $expected", (one) => {
    const price =
      one.margin_mode === "isolated" ? isolatedPrice(one) : crossPrice(one, one.open_trades);
    expect(Number(fixedString(price ?? 0n))).toBeCloseTo(one.expected, 2);
  });
});

function isolatedPrice(one: (typeof binanceCases.cases)[number]): bigint | null {
  const tier = tierOf(one.mm_ratio, one.maintenance_amt);
  return liquidationPrice(
    { formula: "binance", marginMode: "isolated", tiers: [tier] },
    {
      ...positionOf(one.amount, one.open_rate, one.is_short),
      wallet: fixedOf(one.wallet_balance),
      tier,
    },
  );
}

/** Both positions are in one wallet; each has its own bracket, told apart by size. */
function crossPrice(
  one: (typeof binanceCases.cases)[number],
  trades: z.infer<typeof tradeSchema>[],
): bigint | null {
  const exposures = trades.map((trade): Exposure => ({
    symbol: trade.pair,
    ...positionOf(trade.amount, trade.open_rate, false),
    mark: fixedOf(trade.mark_price),
    leverage: 1,
  }));
  const tiers = trades
    .map((trade) => ({
      ...tierOf(trade.mm_ratio, trade.maintenance_amt),
      from: fixedOf(trade.amount * trade.mark_price - 1),
    }))
    .toSorted((left, right) => (left.from < right.from ? -1 : 1));
  const model: LiquidationModel = { formula: "binance", marginMode: "cross", tiers };
  const prices = liquidationPrices(exposures, fixedOf(one.wallet_balance), model);
  return prices[trades.findIndex(({ pair }) => pair === one.pair)] ?? null;
}

const isolatedCases = z
  .object({
    cases: z.array(
      z.object({
        id: z.string(),
        input: z.object({
          is_short: z.boolean(),
          trading_mode: z.enum(["spot", "futures"]),
          exchange_name: z.enum(["binance", "gate", "okx", "bybit"]),
          leverage: z.number(),
          open_rate: z.number(),
          amount: z.number(),
          maintenance_margin_rate: z.number().default(0),
          maintenance_amount: z.number().default(0),
          wallet_balance: z.number().default(0),
          taker_fee: z.number().nullable().default(null),
        }),
        expected: z.object({ liquidation_price: z.number().nullable() }),
      }),
    ),
  })
  .parse(isolated);

describe("isolated liquidation by exchange", () => {
  test.each(isolatedCases.cases)("$id is liquidated as recorded", ({ input, expected }) => {
    const side = input.is_short ? "SELL" : "BUY";
    const { ledger } = fold(ledgerOf(input.trading_mode === "spot" ? "spot" : "perpetual", "100"), [
      fillOf(side, String(input.amount), {
        price: String(input.open_rate),
        leverage: input.leverage,
      }),
    ]);
    const market = marketOf({ [BTC]: String(input.open_rate) });
    const options = { maxLeverage: 1, liquidation: modelOf(input) };
    const { view } = valuePortfolio(ledger, market, options);
    const price = view.holdings[0]?.liquidationPrice ?? null;
    if (expected.liquidation_price === null) expect(price).toBeNull();
    else expect(Number(price)).toBeCloseTo(expected.liquidation_price, 6);
  });
});

describe("liquidation", () => {
  const isolatedModel: LiquidationModel = {
    formula: "binance",
    marginMode: "isolated",
    tiers: [tierOf(0.01, 0)],
  };

  test("a position is liquidated when the low of the tick crossed its price", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10", { leverage: 5 })]);
    const at = (low: string) =>
      liquidations(ledger, marketOf({ [BTC]: quoteOf(BTC, "90", { low }) }), isolatedModel);

    expect(at("80.9")).toEqual([]);
    expect(at("80.8")).toMatchObject([
      { symbol: BTC, type: "LONG", item: { action: "close_long", quantity: "10" } },
    ]);
    expect(Number(at("80.8")[0]?.liquidationPrice)).toBeCloseTo(80 / 0.99, 8);
  });

  test("a short is liquidated by the high", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("SELL", "10", { leverage: 5 })]);
    const market = marketOf({ [BTC]: quoteOf(BTC, "110", { high: "119" }) });
    expect(liquidations(ledger, market, isolatedModel)).toMatchObject([
      { type: "SHORT", item: { action: "close_short", quantity: "10" } },
    ]);
  });

  test("extremes from before the entry and stale quotes liquidate nothing", () => {
    const { ledger } = fold(ledgerOf("perpetual"), [fillOf("BUY", "10", { leverage: 5 })]);
    const early = quoteOf(BTC, "90", { low: "10", at: T0 });
    const stale = quoteOf(BTC, "10", { quality: "stale" });
    expect(liquidations(ledger, marketOf({ [BTC]: early }), isolatedModel)).toEqual([]);
    expect(liquidations(ledger, marketOf({ [BTC]: stale }), isolatedModel)).toEqual([]);
    expect(liquidations(ledger, marketOf({}), isolatedModel)).toEqual([]);
  });

  test("spot and an unleveraged long are never liquidated", () => {
    const spot = fold(ledgerOf("spot"), [fillOf("BUY", "10")]).ledger;
    const long = fold(ledgerOf("perpetual"), [fillOf("BUY", "10")]).ledger;
    const market = marketOf({ [BTC]: quoteOf(BTC, "0.01") });
    expect(liquidations(spot, market, PAPER_LIQUIDATION)).toEqual([]);
    expect(liquidations(long, market, PAPER_LIQUIDATION)).toEqual([]);
  });

  test("in one cross wallet the loss of one position brings the other closer", () => {
    const fills = [fillOf("BUY", "100"), fillOf("BUY", "100", { symbol: ETH })];
    const { ledger } = fold(ledgerOf("perpetual", "5000"), fills);
    const priceOfBtc = (eth: string) => {
      const market = marketOf({ [BTC]: "100", [ETH]: eth });
      const options = { maxLeverage: 1, liquidation: PAPER_LIQUIDATION };
      return Number(valuePortfolio(ledger, market, options).view.holdings[0]?.liquidationPrice);
    };
    expect(priceOfBtc("80")).toBeGreaterThan(priceOfBtc("100"));
  });
});

function modelOf(input: (typeof isolatedCases.cases)[number]["input"]): LiquidationModel {
  const tiers = [tierOf(input.maintenance_margin_rate, input.maintenance_amount)];
  if (input.exchange_name === "bybit") return { formula: "bybit", marginMode: "isolated", tiers };
  if (input.exchange_name === "binance") {
    return { formula: "binance", marginMode: "isolated", tiers };
  }
  const takerFee = fixedOf(input.taker_fee ?? 0);
  return { formula: "okx", marginMode: "isolated", tiers, takerFee };
}

function positionOf(amount: number, price: number, short: boolean) {
  const quantity = short ? -fixedOf(amount) : fixedOf(amount);
  return { quantity, cost: multiply(quantity, fixedOf(price)) };
}

function tierOf(rate: number, amount: number): MaintenanceTier {
  return { from: 0n, rate: fixedOf(rate), amount: fixedOf(amount) };
}
