// What goes over the sockets of the test exchange, as JSON: orders on one, the test's own words on the
// other. Both ends read it with these schemas.
import { z } from "zod";

const amount = z.string().regex(/^-?\d+(\.\d+)?$/, "expected a decimal number in a string");
const side = z.enum(["BUY", "SELL"]);

const fill = z.object({
  tradeId: z.string(),
  symbol: z.string(),
  side,
  quantity: amount,
  price: amount,
  fee: z.object({ amount, currency: z.enum(["quote", "base"]) }),
  at: z.number(),
  leverage: z.number(),
});

export const orderReport = z.object({
  clientOrderId: z.string(),
  symbol: z.string(),
  exchangeOrderId: z.string().nullable(),
  status: z.enum(["open", "filled", "cancelled", "expired", "rejected"]),
  fills: z.array(fill),
  reason: z.string().nullable(),
});

const orderRequest = z.object({
  clientOrderId: z.string(),
  symbol: z.string(),
  side,
  quantity: amount,
  leverage: z.number(),
  priceMode: z.enum(["market", "limit"]),
  limitPrice: amount.nullable(),
  reduceOnly: z.boolean(),
});
export type OrderRequest = z.infer<typeof orderRequest>;

export const account = z.object({
  balances: z.array(z.object({ currency: z.string(), free: amount, reserved: amount })),
  positions: z.array(z.object({ symbol: z.string(), quantity: amount, entryPrice: amount })),
  at: z.number(),
});

const key = z.object({ clientOrderId: z.string(), symbol: z.string() });

/** What a trading connection may ask for. */
export const tradeCall = z.discriminatedUnion("call", [
  z.object({ call: z.literal("place"), order: orderRequest }),
  z.object({ call: z.literal("find"), order: key }),
  z.object({ call: z.literal("cancel"), order: key }),
  z.object({ call: z.literal("openOrders") }),
  z.object({ call: z.literal("account") }),
]);
export type TradeCall = z.infer<typeof tradeCall>;

/** The answer to a call, or a report that nobody asked for. */
export const fromExchange = z.union([
  z.object({ id: z.int(), result: z.unknown() }),
  z.object({ id: z.int(), error: z.string() }),
  z.object({ report: orderReport }),
]);
export type FromExchange = z.infer<typeof fromExchange>;

/** How one call is treated; what is left out goes as it would on a good day. */
const behaviour = z.object({
  /** When it reaches the book, ms; null: it is lost on its way, and nobody answers. */
  takenAfterMs: z.number().nullable().optional(),
  /**
   * `error`: an answer that does not say what became of the order. `nothing`: as if the order were not
   * there.
   */
  answer: z.enum(["once", "twice", "never", "error", "nothing"]).optional(),
  /** After the book has taken it, ms. */
  answerAfterMs: z.number().optional(),
  /** What breaks, before the book has taken the call or after that and before the answer. */
  breaks: z
    .object({ what: z.enum(["connection", "process"]), when: z.enum(["before", "after"]) })
    .optional(),
  /** Of `place`: refused for this reason. */
  refusal: z.string().optional(),
  /**
   * Of `place`: the fills, as shares of the quantity; `afterMs` counts from the fill before. What they
   * leave stays open. An empty list rests.
   */
  fills: z.array(z.object({ share: amount, afterMs: z.number() })).optional(),
  /** Of `place`: what is left after the last of `fills` expires. */
  expires: z.boolean().optional(),
  /** Of `place`: so many calls of `find`, and so many ms, go by before the order can be found. */
  hidden: z.object({ finds: z.int(), ms: z.number() }).optional(),
});
export type Behaviour = z.infer<typeof behaviour>;

const accountOptions = z.object({
  name: z.string(),
  marketType: z.enum(["spot", "perpetual"]),
  /** Quote currency. */
  deposit: amount,
  /** Fraction of the notional. */
  feeRate: amount,
  /** `base`: buys on spot pay in what they buy. */
  feeIn: z.enum(["quote", "base"]),
  /** How long a client order id is taken: for ever, or as long as its order is open. */
  idsTaken: z.enum(["for ever", "while open"]),
});
export type AccountOptions = z.infer<typeof accountOptions>;

/** How reports that nobody asked for travel; `held`: they wait until the next change of this. */
const delivery = z.enum(["normal", "twice", "reversed", "held", "lost"]);
export type Delivery = z.infer<typeof delivery>;

const CALLS = ["place", "find", "cancel", "openOrders", "account"] as const;

/** What a test may ask for. */
export const controlCall = z.discriminatedUnion("call", [
  z.object({ call: z.literal("openAccount"), account: accountOptions }),
  z.object({
    call: z.literal("moveMarket"),
    /** ms UTC; the time of fills from now on. */
    at: z.number(),
    prices: z.record(z.string(), amount),
  }),
  z.object({
    call: z.literal("behave"),
    account: z.string(),
    to: z.enum(CALLS),
    /** For the next calls, one each, after those that were told before. */
    as: z.array(behaviour),
  }),
  z.object({ call: z.literal("behaveWell") }),
  z.object({ call: z.literal("deliver"), account: z.string(), as: delivery }),
  z.object({
    call: z.literal("fill"),
    clientOrderId: z.string(),
    /** All that is left, without it. */
    quantity: amount.optional(),
  }),
  z.object({ call: z.literal("fillAll") }),
  z.object({ call: z.literal("expire"), clientOrderId: z.string(), reason: z.string() }),
  z.object({ call: z.literal("hangUp") }),
  z.object({ call: z.literal("die") }),
  z.object({ call: z.literal("book") }),
]);
export type ControlCall = z.infer<typeof controlCall>;

/** An order as the book keeps it, in the sequence of arrival. */
export const bookOrder = orderRequest.extend({
  account: z.string(),
  exchangeOrderId: z.string(),
  status: z.enum(["open", "filled", "cancelled", "expired"]),
  fills: z.array(fill),
  reason: z.string().nullable(),
  /** Fills to come by themselves; null: none, it waits for its price. */
  steps: z.array(z.object({ quantity: amount, afterMs: z.number() })).nullable(),
  expires: z.boolean(),
});
export type BookOrder = z.infer<typeof bookOrder>;

/** Everything the exchange knows, to compare with. */
export const wholeBook = z.object({
  accounts: z.array(
    accountOptions.extend({
      /** Exact sums over all fills, fees included. */
      flows: z.array(z.object({ symbol: z.string(), base: amount, quote: amount })),
    }),
  ),
  orders: z.array(bookOrder),
  /** Orders that were refused, `duplicate` among the reasons. */
  refusals: z.array(
    z.object({ account: z.string(), clientOrderId: z.string(), reason: z.string() }),
  ),
  /** How often each call has come. */
  calls: z.record(z.string(), z.int()),
});
export type WholeBook = z.infer<typeof wholeBook>;

export const DUPLICATE = "duplicate client order id";

/** Reads one message of a socket. */
export function read<T>(schema: z.ZodType<T>, data: unknown): T {
  return schema.parse(JSON.parse(String(data)));
}

/** A request with the number that its answer comes back with. */
export const numbered = z.looseObject({ id: z.int() });
