import { createPaperChannel } from "#adapters/paper-channel.ts";
import { barsOf } from "#domain/bars.ts";
import { BarVolumes } from "#domain/bar-volumes.ts";
import { ExitRun } from "#domain/exit-run.ts";
import type { ExitLevels } from "#domain/exit-levels.ts";
import { fixed, fixedOf } from "#domain/fixed.ts";
import { applyFill, valuePortfolio } from "#domain/ledger.ts";
import type { Candle } from "#domain/market.ts";
import type { Ledger, TradeLeg } from "#domain/portfolio.ts";
import { seenBars } from "#domain/seen-bars.ts";
import type { Order } from "#domain/trading.ts";
import { COMPOSE_ID, HOUR, NO_RULES, ledgerOf, marketOf, quoteOf } from "#support/domain-kit.ts";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import recorded from "../../fixtures/known-answers/candle-exits.json" with { type: "json" };

const SYMBOL = "BTC/USDT";
const MINUTE = 60_000;

/** Scenarios that need what we do not have: each by its id, with the reason. */
const EXCLUDED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["tc8", "tc10", "tc12", "tc22", "tc24", "tc32", "tc34", "tc36", "tc38"].map((id) => [
      id,
      "a trailing stop",
    ]),
  ),
  ...Object.fromEntries(
    ["tc40", "tc42", "tc44", "tc46", "tc48", "tc50", "tc52"].map((id) => [
      id,
      "an entry or exit price of the strategy's own",
    ]),
  ),
};

const scenarioSchema = z.object({
  id: z.string(),
  params: z.object({
    stop_loss: z.number(),
    roi: z.record(z.string(), z.number()),
    leverage: z.number().default(1),
  }),
  columns: z.array(z.string()),
  candles: z.array(z.array(z.number())),
  expected: z.object({
    trades: z.array(
      z.object({
        exit_reason: z.string(),
        open_tick: z.number(),
        close_tick: z.number(),
        is_short: z.boolean().default(false),
      }),
    ),
    profit_ratio_sum_rounded3: z.number(),
  }),
});
type Scenario = z.infer<typeof scenarioSchema>;
const scenarios = z
  .object({
    scenarios: z.array(z.looseObject({ id: z.string() })),
  })
  .parse(recorded)
  .scenarios.filter(({ id }) => !(id in EXCLUDED))
  .map((scenario) => scenarioSchema.parse(scenario));

const channel = createPaperChannel({
  name: "free",
  marketType: "perpetual",
  maxLeverage: 125,
  takerFeeRate: 0,
  slippageBps: 0,
  maxVolumeShare: null,
  rules: {},
  defaultRules: NO_RULES,
});

describe("exits by the candle", () => {
  test("nothing is left out but what is named", () => {
    expect(scenarios).toHaveLength(11);
    expect(recorded.scenarios).toHaveLength(11 + Object.keys(EXCLUDED).length);
  });

  test.each(scenarios)("$id leaves as recorded", (scenario) => {
    const trades = new Play(scenario).trades();
    expect(
      trades.map(({ reason, openTick, closeTick, short }) => ({
        exit_reason: reason,
        open_tick: openTick,
        close_tick: closeTick,
        is_short: short,
      })),
    ).toEqual(scenario.expected.trades);
    const sum = trades.reduce((total, { leg }) => total + Number(leg.realizedPnlPct), 0);
    const ratio = sum * scenario.params.leverage;
    expect(ratio).toBeCloseTo(scenario.expected.profit_ratio_sum_rounded3, 3);
  });
});

interface Trade {
  reason: string;
  openTick: number;
  closeTick: number;
  short: boolean;
  leg: TradeLeg;
}

/** Plays a scenario: each candle's signals are traded at the next open, exits looked for inside. */
class Play {
  readonly #scenario: Scenario;
  readonly #trades: Trade[] = [];
  #ledger: Ledger = ledgerOf("perpetual", "1000000");
  #openTick = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  trades(): Trade[] {
    this.#scenario.candles.forEach((_, tick) => {
      this.#trade(tick);
      this.#exit(tick);
      const close = String(this.#candle(tick).close);
      const market = marketOf({ [SYMBOL]: close });
      this.#ledger = valuePortfolio(this.#ledger, market, { maxLeverage: 1 }).ledger;
    });
    return this.#trades;
  }

  /** What the candle before asked for, at this one's open. */
  #trade(tick: number): void {
    const held = this.#ledger.positions[SYMBOL];
    const asked = (name: string) => this.#column(tick - 1, name) === 1;
    if (held === undefined && (asked("enter_long") || asked("enter_short"))) {
      this.#openTick = tick;
      this.#execute(tick, asked("enter_long") ? "open_long" : "open_short");
    } else if (held !== undefined && (asked("exit_long") || asked("exit_short"))) {
      const short = held.quantity.startsWith("-");
      const [leg] = this.#execute(tick, short ? "close_short" : "close_long");
      this.#record("exit_signal", tick, leg);
    }
  }

  #execute(tick: number, action: Order["action"]): TradeLeg[] {
    const { open, openAt } = this.#candle(tick);
    const buys = action === "open_long" || action === "close_short";
    const order: Order = {
      instructionId: COMPOSE_ID,
      index: 0,
      symbol: SYMBOL,
      action,
      side: buys ? "BUY" : "SELL",
      quantity: "1",
      leverage: this.#scenario.params.leverage,
      priceMode: "market",
      limitPrice: null,
      reduceOnly: action.startsWith("close"),
      clientOrderId: "client",
      note: null,
    };
    const quote = quoteOf(SYMBOL, String(open), { at: openAt });
    const reports = channel.execute([order], marketOf({ [SYMBOL]: quote }, openAt));
    if (reports instanceof Promise) throw new Error("a paper channel answers at once");
    const fill = reports[0]?.fills[0];
    if (fill === undefined) throw new Error("not filled");
    const booked = applyFill(this.#ledger, fill, { instructionId: COMPOSE_ID, fillIndex: 0 });
    this.#ledger = booked.ledger;
    return booked.legs;
  }

  #exit(tick: number): void {
    const position = this.#ledger.positions[SYMBOL];
    if (position === undefined) return;
    const candle = this.#candle(tick);
    const quote = quoteOf(SYMBOL, String(candle.close), { bars: barsOf([candle]) });
    const { levels, targetSince } = this.#levels(tick);
    const run = new ExitRun(
      {
        symbol: SYMBOL,
        ledger: this.#ledger,
        levels,
        targetSince,
        underWay: null,
        bars: seenBars(quote),
        funding: [],
        quotes: { [SYMBOL]: quote },
        terms: channel.terms,
        rules: channel.rules(SYMBOL),
        volumes: new BarVolumes(null),
        instructionId: COMPOSE_ID,
      },
      position,
    );
    const outcome = run.run();
    this.#ledger = run.ledger;
    const reasons: Record<string, string> = { stop_loss: "stop_loss", take_profit: "roi" };
    if (outcome !== null) this.#record(reasons[outcome.cause] ?? "", tick, outcome.legs[0]);
  }

  /** `roi`: from how many minutes on which profit is enough; the newest entry due at the open counts. */
  #levels(tick: number): { levels: ExitLevels; targetSince: number } {
    const { params } = this.#scenario;
    const position = this.#ledger.positions[SYMBOL];
    if (position === undefined) throw new Error("nothing held");
    const long = !position.quantity.startsWith("-");
    const at = (profit: number) => {
      const distance = fixedOf(profit / params.leverage);
      const entry = fixed(position.cost) / (long ? 1n : -1n);
      return entry + ((long ? distance : -distance) * entry) / 10n ** 18n;
    };
    const minutes = (this.#candle(tick).openAt - position.entryAt) / MINUTE;
    const due = Object.keys(params.roi)
      .map(Number)
      .filter((from) => from <= minutes);
    const from = Math.max(...due);
    const target = at(params.roi[String(from)] ?? Number.NaN);
    const stop = at(params.stop_loss);
    return { levels: { long, stop, target }, targetSince: position.entryAt + from * MINUTE };
  }

  #record(reason: string, closeTick: number, leg: TradeLeg | undefined): void {
    if (leg === undefined) throw new Error("no leg");
    const short = leg.type === "SHORT";
    this.#trades.push({ reason, openTick: this.#openTick, closeTick, short, leg });
  }

  #candle(tick: number): Candle {
    const of = (name: string) => this.#column(tick, name) ?? Number.NaN;
    const openAt = tick * HOUR;
    const prices = { open: of("open"), high: of("high"), low: of("low"), close: of("close") };
    return { openAt, closeAt: openAt + HOUR, ...prices, volume: of("volume") };
  }

  #column(tick: number, name: string): number | undefined {
    return this.#scenario.candles[tick]?.[this.#scenario.columns.indexOf(name)];
  }
}
