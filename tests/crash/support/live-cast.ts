// Who trades on the test exchange while it and the engine are killed: strategies that buy, sell, short
// and flip by a chance that derives from their seed, and an agent that tells the exchange the price.
import { z } from "zod";
import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { Definition } from "#domain/definition.ts";
import { definitionIdOf } from "#domain/ids.ts";
import { type BusinessAgent, SourceUnavailable } from "#ports/business-agent.ts";
import type { DecisionAgent } from "#ports/decision-agent.ts";
import type { MarketType, PlanItem } from "#domain/trading.ts";
import { Calls } from "#support/exchange/calls.ts";
import type { AccountOptions } from "#support/exchange/messages.ts";
import { seededRandom } from "#support/random.ts";

export const SYMBOL = "BTC/USDT";
export const HOUR = 3_600_000;
export const FEE_RATE = "0.001";
export const SHARD_SIZE = 3;

/** An account at the exchange, the channel and template of that name, and those who trade there. */
interface Troupe {
  name: string;
  marketType: MarketType;
  idsTaken: AccountOptions["idsTaken"];
  members: readonly string[];
}

// Reduce-only is judged by the account's whole position, so whoever goes both ways has its own account.
const TROUPES: readonly Troupe[] = [
  {
    name: "spot_once",
    marketType: "spot",
    idsTaken: "for ever",
    members: ["Collector", "Peddler", "Magpie", "Miser"],
  },
  {
    name: "spot_twice",
    marketType: "spot",
    idsTaken: "while open",
    members: ["Squirrel", "Hamster", "Jackdaw"],
  },
  { name: "perp_once", marketType: "perpetual", idsTaken: "for ever", members: ["Acrobat"] },
  { name: "perp_twice", marketType: "perpetual", idsTaken: "while open", members: ["Juggler"] },
];

export const ACCOUNTS: readonly AccountOptions[] = TROUPES.map(
  ({ idsTaken, marketType, name }) => ({
    name,
    marketType,
    idsTaken,
    deposit: "1000000",
    feeRate: FEE_RATE,
    feeIn: "quote",
  }),
);

export const MEMBERS = TROUPES.flatMap(({ members }) => members);

export const membersOf = (definition: Pick<Definition, "name">): readonly string[] =>
  TROUPES.find(({ name }) => name === definition.name)?.members ?? [];

export const DEFINITIONS: readonly Definition[] = TROUPES.map(({ name }) => ({
  id: definitionIdOf(name),
  version: 1,
  name,
  displayName: name,
  description: "",
  philosophy: "",
  decisionAgent: "chance",
  agents: [{ name: "price_teller", required: false, weight: 1 }],
  tradeChannel: name,
  symbols: [SYMBOL],
  periodMinutes: 60,
  defaultParams: {},
  catchUp: "one",
  isActive: true,
}));

/** Trades at about every second tick, often the other way than before. */
export const chance: DecisionAgent<object> = {
  name: "chance",
  displayName: "Chance",
  description: "",
  paramsSchema: z.looseObject({}),
  decide: (input) => {
    const items = itemsOf(input, seededRandom(Number.parseInt(input.seed.slice(0, 8), 16)));
    return decisionOf(items);
  },
};

function itemsOf(
  { marketType, portfolio }: DecisionInput<object>,
  random: () => number,
): PlanItem[] {
  if (random() < 0.4) return [];
  const held = Number(portfolio.holdings[0]?.quantity ?? 0);
  const quantity = (1 + random() * 9).toFixed(5);
  if (marketType === "spot") {
    if (held <= 0 || random() < 0.5) return [{ symbol: SYMBOL, action: "open_long", quantity }];
    const sold = random() < 0.5 ? held : held * random();
    return [{ symbol: SYMBOL, action: "close_long", quantity: Math.max(sold, 0.001).toFixed(5) }];
  }
  const leverage = 1 + Math.floor(random() * 3);
  const action = held > 0 ? "open_short" : "open_long";
  const flipped = (Math.abs(held) + Number(quantity)).toFixed(5);
  return [{ symbol: SYMBOL, action, quantity: flipped, leverage }];
}

function decisionOf(items: PlanItem[]): Decision {
  return {
    signal: items.length === 0 ? "HOLD" : "BUY",
    items,
    rationale: "by chance",
    warnings: [],
    details: {},
    state: null,
  };
}

/** Sets the exchange's time and price to those of the tick, before anybody decides on it. */
export function priceTeller(url: string): BusinessAgent & AsyncDisposable {
  const calls = new Calls({ url: `${url}/control`, timeoutMs: 2_000 });
  return {
    name: "price_teller",
    displayName: "Price teller",
    description: "",
    tools: [],
    async run({ at, market, signal }) {
      const price = market.quotes[SYMBOL]?.price;
      if (price === undefined) throw new SourceUnavailable("no price");
      await calls.call({ call: "moveMarket", at, prices: { [SYMBOL]: price } }, signal);
      return {
        signal: "NEUTRAL",
        confidence: 1,
        score: 0,
        reasoning: "told the exchange",
        data: {},
        provenance: [],
      };
    },
    [Symbol.asyncDispose]: () => calls[Symbol.asyncDispose](),
  };
}

/** Hourly bars of a price that wanders about 100. */
export function hourlyBars(hours: number, seed: number): string {
  const random = seededRandom(seed);
  const start = Date.UTC(2024, 0, 1);
  let open = 100;
  const lines = Array.from({ length: hours }, (_, hour) => {
    const close = Number((open * (1 + (random() - 0.5) * 0.02) + (100 - open) * 0.01).toFixed(2));
    const [low, high] = [Math.min(open, close), Math.max(open, close)];
    const line = `${start + hour * HOUR},${open},${high},${low},${close},100000`;
    open = close;
    return line;
  });
  return `timestamp_ms,open,high,low,close,volume\n${lines.join("\n")}\n`;
}
