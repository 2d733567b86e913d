import { describe, expect, test } from "vitest";
import { transition } from "xstate";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createPaperChannel } from "#adapters/paper-channel.ts";
import { PAPER_PROFILES } from "#adapters/paper-profiles.ts";
import type { Decision, Protection } from "#domain/decision.ts";
import { tickIdOf } from "#domain/ids.ts";
import { openLedger } from "#domain/ledger.ts";
import type { Bar, FundingEvent, Quote } from "#domain/market.ts";
import type { PlanItem } from "#domain/trading.ts";
import {
  type CycleOutcome,
  executeClosing,
  finishCycle,
  openCycle,
  skipCycle,
  type OpenCycle,
} from "#engine/strategy/cycle.ts";
import { strategyMachine, type StrategyContext } from "#machines/strategy.machine.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { HOUR, quoteOf, T0 } from "#support/domain-kit.ts";

const SYMBOL = "BTC/USDT";
const ID = "00000000-0000-4000-8000-000000000001";
const MINUTES = 60_000;

describe("an exit that a bar's volume does not fill", () => {
  const stop = { stopLoss: "95", takeProfit: null };

  test("is closed at the next chances although the price has come back, across crashes", () => {
    const life = new Life(free("spot"), "100000");
    life.tick([bar(0, [100, 100, 100, 100])], buy("50", stop));
    const partial = life.tick([bar(1, [100, 101, 94, 96], 100)], HOLD);
    expect(partial).toMatchObject({
      instructions: [
        { status: "partial", quantity: "50", filledQuantity: "10", averagePrice: "95" },
      ],
    });
    expect(partial.rationale).toMatch(
      /^stop loss at 95 reached: low 94, high 101, last 96: sold 10 of 50 BTC\/USDT at 95\.\n/,
    );
    expect(life.context.fills).toEqual({
      exits: [{ symbol: SYMBOL, cause: "stop_loss", remaining: "40", since: at(2) }],
      taken: [{ symbol: SYMBOL, barCloseAt: at(2), quantity: "10" }],
    });
    const rest = life.tick([bar(2, [97, 98, 96, 98], 9000)], HOLD);
    expect(rest.instructions).toMatchObject([
      {
        status: "filled",
        quantity: "40",
        averagePrice: "97",
        note: "the exit at the stop loss goes on",
      },
    ]);
    expect(rest.fillsBefore?.exits).toHaveLength(1);
    expect(life.context.ledger.positions).toEqual({});
    expect(life.context.fills?.exits).toBeUndefined();
  });

  test("of a position that a decision closes goes on whatever is decided meanwhile", () => {
    const life = new Life(free("spot"), "100000");
    life.tick([bar(0, [100, 100, 100, 100])], buy("50", stop));
    life.tick([bar(1, [100, 101, 99, 100], 100)], close("50"));
    const during = life.tick([bar(2, [101, 102, 100, 101], 100)], buy("5", stop));
    expect(during.instructions).toMatchObject([
      { side: "SELL", quantity: "40", filledQuantity: "10", averagePrice: "101" },
    ]);
    expect(during.rationale).toContain("an exit of this symbol comes first");
    life.tick([bar(3, [103, 104, 100, 101], 9000)], HOLD);
    expect(life.context.ledger.positions).toEqual({});
  });

  test("goes on in a cycle that has no decision", () => {
    const life = new Life(free("spot"), "100000");
    life.tick([bar(0, [100, 100, 100, 100])], buy("50", stop));
    life.tick([bar(1, [100, 101, 94, 96], 100)], HOLD);
    const failed = life.fail([bar(2, [97, 98, 96, 98], 9000)]);
    expect(failed).toMatchObject({
      status: "failed",
      instructions: [{ averagePrice: "97" }],
    });
    expect(life.context.ledger.positions).toEqual({});
  });

  test("waits without an order while the same bar is seen again and again", () => {
    const life = new Life(free("spot"), "100000");
    life.tick([bar(0, [100, 100, 100, 100])], buy("50", stop));
    life.tick([bar(1, [100, 101, 94, 96], 100)], HOLD);
    for (let look = 1; look < 6; look += 1) {
      const again = life.tick([], HOLD, { at: at(2) + look * 10 * MINUTES });
      expect(again.instructions).toEqual([]);
    }
    expect(life.context.fills?.exits).toMatchObject([{ remaining: "40" }]);
  });
});

describe("a bar's volume", () => {
  test("is given once, however often a strategy looks at the bar", () => {
    const life = new Life(free("spot"), "1000000");
    life.tick([bar(0, [100, 100, 100, 100], 1000)], buy("100"));
    for (let look = 1; look < 144; look += 1) {
      life.tick([], buy("100"), { at: at(1) + look * 10 * MINUTES });
    }
    expect(life.context.ledger.positions[SYMBOL]?.quantity).toBe("100");
    life.tick([bar(24, [100, 100, 100, 100], 1000)], buy("200"));
    expect(life.context.ledger.positions[SYMBOL]?.quantity).toBe("200");
  });

  test("is given once to a sale that the venue's largest order splits", () => {
    const rules = { quantityStep: null, minQuantity: null, maxQuantity: "8000", minNotional: null };
    const life = new Life(free("spot", { defaultRules: rules }), "100000000");
    for (let hour = 0; hour < 3; hour += 1) {
      life.tick([bar(hour, [100, 100, 100, 100], 80_000)], buy("8000"));
    }
    const sale = life.tick([bar(3, [100, 100, 100, 100], 10_000)], close("24000"));
    expect(sale.instructions.map(({ filledQuantity }) => filledQuantity)).toEqual([
      "1000",
      "0",
      "0",
    ]);
    expect(life.context.fills?.exits).toMatchObject([{ cause: "signal", remaining: "23000" }]);
  });

  test("that is not known holds nothing back", () => {
    const life = new Life(free("spot"), "100000");
    const unknown = { ...bar(0, [100, 100, 100, 100]), volume: null };
    life.tick([unknown], buy("50", { stopLoss: "95", takeProfit: null }));
    life.tick([{ ...bar(1, [100, 101, 94, 96]), volume: null }], HOLD);
    expect(life.context).toMatchObject({ ledger: { positions: {} } });
    expect(life.context.fills).toBeUndefined();
  });
});

describe("an account", () => {
  test.each([
    ["a low below the liquidation price", bar(1, [100, 102, 90, 101])],
    ["a gap to 70", bar(1, [70, 71, 69, 70])],
  ])("ends at zero after %s, and the strategy stops as bankrupt", (_what, seen) => {
    const life = new Life(perpetual(), "10000");
    life.tick([bar(0, [100, 100, 100, 100])], open("open_long", "995", 20));
    const end = life.tick([seen], HOLD);
    expect(end).toMatchObject({
      view: { totalValue: "0", holdings: [] },
      ledger: { maxDrawdown: "1" },
    });
    expect(life.state).toBe("stopped");
    expect(end.rationale).toMatch(/^liquidated: the price crossed 9\d\.\d+: sold 995 of 995/);
  });

  test("that has money left runs on after a loss", () => {
    const life = new Life(perpetual(), "10000");
    life.tick([bar(0, [100, 100, 100, 100])], open("open_long", "100", 20));
    life.tick([bar(1, [70, 71, 69, 70])], HOLD);
    expect(life.state).toBe("running");
  });

  test("buys nothing with what a sale has not brought, and never goes below zero on spot", () => {
    const life = new Life(free("spot"), "10000");
    const ether = "ETH/USDT";
    life.tick([bar(0, [100, 100, 100, 100])], buy("100"));
    const swap: Decision = {
      ...HOLD,
      items: [
        { symbol: SYMBOL, action: "close_long", quantity: "100" },
        { symbol: ether, action: "open_long", quantity: "100" },
      ],
    };
    const thin = bar(1, [100, 100, 100, 100], 100);
    const others = { [ether]: quoteWith([bar(1, [90, 90, 90, 90])], ether) };
    const swapped = life.tick([thin], swap, { others });
    expect(swapped.instructions).toMatchObject([
      { symbol: SYMBOL, status: "partial", filledQuantity: "10" },
      { symbol: ether, status: "rejected", reason: "costs 9000, the account has 1000" },
    ]);
    expect(life.context.ledger.cash).toBe("1000");
  });
});

describe("funding at the instant of entry", () => {
  const funding: FundingEvent[] = [
    { symbol: SYMBOL, at: at(1), rate: "-0.000008", markPrice: "2.77" },
  ];

  test("is paid once by what is opened then", () => {
    const life = new Life(perpetual(), "10000");
    life.tick([bar(0, [2.77, 2.77, 2.77, 2.77])], open("open_short", "30", 1), { funding });
    expect(life.context.ledger.fundingNet).toBe("-0.0006648");
    life.tick([bar(1, [2.77, 2.77, 2.77, 2.77])], HOLD, { funding });
    expect(life.context.ledger.fundingNet).toBe("-0.0006648");
  });

  test("is paid within the venue's grace, and not after it", () => {
    const opened = (seconds: number) => {
      const life = new Life(perpetual(), "10000");
      const look = { at: at(1) + seconds * 1000, funding };
      life.tick([bar(0, [2.77, 2.77, 2.77, 2.77])], open("open_short", "30", 1), look);
      return life.context.ledger.fundingNet;
    };
    expect([opened(1), opened(14), opened(15)]).toEqual(["-0.0006648", "-0.0006648", "0"]);
  });
});

test("a strategy without exits or taken volume remembers nothing of them", () => {
  const life = new Life(createChannelRegistry().get("binance_spot"), "10000");
  const cycle = life.tick([bar(0, [100, 100, 100, 100])], HOLD);
  expect(life.context).not.toHaveProperty("fills");
  expect(cycle).not.toHaveProperty("fillsBefore");
});

describe("a stop at which a position cannot be closed whole", () => {
  const stopping = () => {
    const life = new Life(free("spot"), "100000");
    life.tick([bar(0, [100, 100, 100, 100])], buy("50"));
    life.stop([bar(1, [100, 101, 99, 100], 100)]);
    return life;
  };

  test("goes on at the next ticks and then is a stop", () => {
    const life = stopping();
    expect(life.state).toBe("running");
    expect(life.context).toMatchObject({
      fills: { exits: [{ symbol: SYMBOL, cause: "stop", remaining: "40", since: at(2) }] },
      stop: { isClosing: true },
    });
    const during = life.goOnStopping([bar(2, [101, 102, 100, 101], 100)]);
    expect(during).toMatchObject({
      status: "skipped",
      instructions: [{ quantity: "40", filledQuantity: "10", averagePrice: "101" }],
    });
    expect(life.state).toBe("running");
    life.goOnStopping([bar(3, [102, 103, 100, 101], 9000)]);
    expect(life.context).toMatchObject({ ledger: { positions: {} }, stop: null });
    expect(life.state).toBe("stopped");
  });

  test("is not asked for again by the same command, and is given up by another", () => {
    const { context } = stopping();
    const running = strategyMachine.resolveState({ value: "running", context });
    const command = { commandId: "command", closePositions: true, reason: "user asked" };
    const turn = { strategyId: ID };
    const [same] = transition(strategyMachine, running, { type: "STOP", ...command, turn });
    expect(same).toMatchObject({ value: "running", context });
    const other = { ...command, commandId: "other", closePositions: false };
    const [given] = transition(strategyMachine, running, { type: "STOP", ...other, turn });
    expect(given.value).toBe("stopped");
    const [resumed] = transition(strategyMachine, given, { type: "RESUME" });
    expect(resumed).toMatchObject({ value: "running", context: { stop: null } });
    expect(resumed.context.fills?.exits).toBeUndefined();
  });

  test("is taken up where it was after a shutdown", () => {
    const { context } = stopping();
    const running = strategyMachine.resolveState({ value: "running", context });
    const [cancelled] = transition(strategyMachine, running, {
      type: "CANCEL",
      reason: "shutdown",
    });
    expect(cancelled.value).toBe("cancelled");
    const [resumed] = transition(strategyMachine, cancelled, { type: "RESUME" });
    expect(resumed).toMatchObject({ value: "running", context });
  });
});

/** One strategy from tick to tick; its state goes through JSON each time, as through a crash. */
class Life {
  context: StrategyContext;
  /** The state that the machine came to. */
  state = "running";
  readonly #channel: TradeChannel;
  #last: Quote | null = null;

  constructor(channel: TradeChannel, initialBalance: string) {
    this.#channel = channel;
    this.context = {
      strategyId: ID,
      ledger: openLedger({ marketType: channel.marketType, initialBalance }),
      decisionState: null,
      protections: [],
      cycleIndex: 0,
      lastTickFor: null,
      pending: null,
      stop: null,
    };
  }

  tick(bars: Bar[], decision: Decision, look: Look = {}): CycleOutcome["cycle"] {
    return this.#take(finishCycle(this.#open(bars, "tick", look), { decision }));
  }

  fail(bars: Bar[]): CycleOutcome["cycle"] {
    const error = { code: "PORT_TIMEOUT", message: "no decision" };
    return this.#take(finishCycle(this.#open(bars, "tick", {}), { error }));
  }

  /** Told to stop and close; with more bars, the ticks after that. */
  stop(bars: Bar[]): CycleOutcome["cycle"] {
    const request = { commandId: "command", closePositions: true, reason: "user asked" };
    this.context = { ...this.context, stop: { ...request, isClosing: false } };
    return this.#take(executeClosing(this.#open(bars, "stop", {})));
  }

  goOnStopping(bars: Bar[]): CycleOutcome["cycle"] {
    return this.#take(skipCycle(this.#open(bars, "tick", {})));
  }

  #open(bars: Bar[], cause: "tick" | "stop", look: Look): OpenCycle {
    const definition = bundledDefinitions[0];
    if (definition === undefined) throw new Error("no definition");
    const quote = bars.length > 0 ? quoteWith(bars) : { ...this.#seen(), bars: [] };
    this.#last = quote;
    const scheduledFor = look.at ?? quote.at;
    const previousFor = this.context.lastTickFor;
    const tick = { id: tickIdOf(definition.id, scheduledFor), definitionId: definition.id };
    const quotes = { [SYMBOL]: quote, ...look.others };
    return openCycle({
      context: this.context,
      definition,
      channel: this.#channel,
      tick: cause === "stop" ? null : { ...tick, scheduledFor, previousFor, status: "running" },
      cause,
      market: { at: scheduledFor, quotes, funding: look.funding ?? [], facts: {} },
      paramsVersion: 1,
      startedAt: 0,
    });
  }

  #seen(): Quote {
    if (this.#last === null) throw new Error("nothing seen yet");
    return this.#last;
  }

  /** What the machine makes of it, and a start from what is stored of that. */
  #take(outcome: CycleOutcome | Promise<CycleOutcome>): CycleOutcome["cycle"] {
    if (outcome instanceof Promise) throw new Error("paper answers at once");
    const { cycle, recorded } = outcome;
    const before = strategyMachine.resolveState({ value: "executing", context: this.context });
    const turn = { strategyId: ID };
    const [next] = transition(strategyMachine, before, { type: "RECORDED", ...recorded, turn });
    this.state = next.value;
    this.context = JSON.parse(JSON.stringify(next.context));
    return cycle;
  }
}

interface Look {
  at?: number;
  funding?: FundingEvent[];
  others?: Record<string, Quote>;
}

const HOLD: Decision = {
  signal: "HOLD",
  items: [],
  rationale: "nothing to do",
  warnings: [],
  details: {},
  state: null,
};

function buy(quantity: string, levels?: Omit<Protection, "symbol">): Decision {
  const decision = open("open_long", quantity, 1);
  return levels === undefined
    ? decision
    : { ...decision, protections: [{ symbol: SYMBOL, ...levels }] };
}

function open(action: PlanItem["action"], quantity: string, leverage: number): Decision {
  return { ...HOLD, items: [{ symbol: SYMBOL, action, quantity, leverage }] };
}

function close(quantity: string): Decision {
  return { ...HOLD, items: [{ symbol: SYMBOL, action: "close_long", quantity }] };
}

function at(hour: number): number {
  return T0 + hour * HOUR;
}

/** The bar of hour `index`: open, high, low, close. */
function bar(index: number, prices: [number, number, number, number], volume = 1_000_000): Bar {
  const [open = "", high = "", low = "", close = ""] = prices.map(String);
  const times = { openAt: at(index), closeAt: at(index + 1) };
  return { ...times, open, high, low, close, volume: String(volume) };
}

function quoteWith(bars: Bar[], symbol = SYMBOL): Quote {
  const last = bars.at(-1);
  return quoteOf(symbol, last?.close ?? "", {
    at: last?.closeAt ?? 0,
    low: String(Math.min(...bars.map(({ low }) => Number(low)))),
    high: String(Math.max(...bars.map(({ high }) => Number(high)))),
    barVolume: last?.volume ?? null,
    bars,
  });
}

/** Without fees, slippage and rules; a tenth of a bar's volume. */
function free(marketType: "spot" | "perpetual", changes = {}): TradeChannel {
  return createPaperChannel({
    name: "free",
    marketType,
    maxLeverage: 1,
    takerFeeRate: 0,
    slippageBps: 0,
    maxVolumeShare: 0.1,
    rules: {},
    defaultRules: { quantityStep: null, minQuantity: null, maxQuantity: null, minNotional: null },
    ...changes,
  });
}

/** Binance's perpetuals without lot rules. */
function perpetual(): TradeChannel {
  const profile = PAPER_PROFILES.find(({ name }) => name === "binance_perp");
  if (profile === undefined) throw new Error("no profile");
  const none = { quantityStep: null, minQuantity: null, maxQuantity: null, minNotional: null };
  return createPaperChannel({ ...profile, rules: {}, defaultRules: none });
}
