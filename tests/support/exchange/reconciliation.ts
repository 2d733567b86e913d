// The exchange's book against our rows, order by order and sum by sum, to the last decimal.
import { Decimal, decimal, ZERO } from "#domain/decimal.ts";
import type { Query } from "#support/invariants.ts";
import type { BookOrder, WholeBook } from "./messages.ts";

type Row = Record<string, unknown>;

/** What a strategy's orders of one symbol have moved at the exchange. */
interface Flow {
  base: Decimal;
  quote: Decimal;
}

const INSTRUCTIONS = `
  select i.*, d.trade_channel as account,
    coalesce(l.quantity, 0) as leg_quantity, coalesce(l.fee, 0) as leg_fee,
    coalesce(l.fills, 0)::int as leg_fills
  from strategy_instructions i
  join strategies s on s.id = i.strategy_id
  join strategy_definitions d on d.id = s.strategy_definition_id
  left join (
    select strategy_id, instruction_id, sum(quantity) as quantity, sum(fee_cost) as fee,
      count(*) filter (where leg_number = 1) as fills
    from strategy_details group by 1, 2
  ) l using (strategy_id, instruction_id)
  where d.trade_channel = any($1::text[])`;

const STRATEGIES = `
  select s.id, s.instance_name, d.trade_channel as account, s.initial_balance, s.current_balance,
    h.symbol, coalesce(h.quantity, 0) as quantity, coalesce(h.cost, 0) as cost
  from strategies s
  join strategy_definitions d on d.id = s.strategy_definition_id
  left join strategy_holdings h on h.strategy_id = s.id and h.cycle_index = s.cycle_index
  where d.trade_channel = any($1::text[])`;

/** What does not agree, a line each; empty when the book and the rows say the same. */
export async function disagreements(book: WholeBook, query: Query): Promise<string[]> {
  const accounts = book.accounts.map(({ name }) => name);
  const instructions = await query(INSTRUCTIONS, [accounts]);
  const strategies = await query(STRATEGIES, [accounts]);
  return [
    ...compareOrders(book.orders, instructions),
    ...compareMoney(book, instructions, strategies),
  ];
}

/** Each order belongs to exactly one instruction, and each instruction to at most one order. */
function compareOrders(orders: readonly BookOrder[], instructions: readonly Row[]): string[] {
  const ordersOf = Map.groupBy(
    orders,
    ({ account, clientOrderId }) => `${account} ${clientOrderId}`,
  );
  const instructionsOf = Map.groupBy(instructions, keyOf);
  const strays = [...ordersOf].flatMap(([key, found]) => {
    const count = instructionsOf.get(key)?.length ?? 0;
    return count === 1 ? [] : [`${found.length} order(s) ${key} have ${count} instructions`];
  });
  const wrong = instructions.flatMap((row) => {
    const found = ordersOf.get(keyOf(row)) ?? [];
    const [order] = found;
    if (found.length > 1) return [`instruction ${name(row)} was carried out ${found.length} times`];
    return order === undefined ? compareUnknown(row) : compareOrder(order, row);
  });
  return [...strays, ...wrong];
}

/** An order the exchange does not have: refused, or never wanted, and in any case without a fill. */
function compareUnknown(row: Row): string[] {
  const isRefused = row["status"] === "rejected" || row["status"] === "error";
  const isEmpty = [row["filled_quantity"], row["leg_quantity"], row["fee"]].every(isZero);
  return isRefused && isEmpty ? [] : [`instruction ${name(row)} has no order`];
}

function compareOrder(order: BookOrder, row: Row): string[] {
  const filled = sum(order.fills.map(({ quantity }) => quantity));
  const fee = sum(order.fills.map((fill) => quoteFee(fill)));
  const figures: [string, unknown, Decimal][] = [
    ["filled", row["filled_quantity"], filled],
    ["fee", row["fee"], fee],
    ["booked", row["leg_quantity"], filled.minus(sum(order.fills.map(baseFee)))],
    ["fee booked", row["leg_fee"], fee],
    ["fills booked", row["leg_fills"], decimal(order.fills.length)],
    ["ordered", row["quantity"], decimal(order.quantity)],
  ];
  const wrong = figures.flatMap(([what, ours, theirs]) =>
    decimal(String(ours)).eq(theirs)
      ? []
      : [`${what} ${String(ours)}, exchange: ${theirs.toFixed()}`],
  );
  const status = statusOf(order, filled);
  if (row["status"] !== status) wrong.push(`status ${String(row["status"])}, exchange: ${status}`);
  if (row["exchange_order_id"] !== order.exchangeOrderId) {
    wrong.push(`order ${String(row["exchange_order_id"])}, exchange: ${order.exchangeOrderId}`);
  }
  return wrong.map((what) => `instruction ${name(row)}: ${what}`);
}

function statusOf({ status }: BookOrder, filled: Decimal): string {
  if (status === "open") return "pending";
  if (status === "filled") return "filled";
  return filled.isZero() ? "rejected" : "partial";
}

/** Positions and cash of each strategy, and all of them together against their account. */
function compareMoney(
  { accounts, orders }: WholeBook,
  instructions: readonly Row[],
  strategies: readonly Row[],
): string[] {
  const ownerOf = new Map(instructions.map((row) => [keyOf(row), String(row["strategy_id"])]));
  const flows = new Map<string, Flow>();
  for (const order of orders) {
    const owner = ownerOf.get(`${order.account} ${order.clientOrderId}`);
    for (const key of [`${owner} ${order.symbol}`, `${order.account} ${order.symbol}`]) {
      flows.set(key, plus(flows.get(key), flowOf(order)));
    }
  }
  const marketTypes = new Map(accounts.map((one) => [one.name, one.marketType]));
  const byStrategy = Map.groupBy(strategies, ({ id }) => String(id));
  const wrong = [...byStrategy].flatMap(([id, rows]) => {
    const isSpot = marketTypes.get(String(rows[0]?.["account"])) === "spot";
    return compareStrategy({ id, rows, isSpot }, flows);
  });
  const wrongAccounts = accounts.flatMap(({ name, flows: theirs }) =>
    theirs.flatMap(({ symbol, base, quote }) => {
      const ours = flows.get(`${name} ${symbol}`) ?? { base: ZERO, quote: ZERO };
      const isSame = ours.base.eq(base) && ours.quote.eq(quote);
      return isSame ? [] : [`account ${name}: ${base} ${symbol} and ${quote} are not its orders'`];
    }),
  );
  return [...wrong, ...wrongAccounts];
}

function compareStrategy(
  { id, isSpot, rows }: { id: string; isSpot: boolean; rows: readonly Row[] },
  flows: ReadonlyMap<string, Flow>,
): string[] {
  const [strategy = {}] = rows;
  const own = [...flows].filter(([key]) => key.startsWith(`${id} `));
  const wrong = own.flatMap(([key, { base }]) => {
    const symbol = key.slice(id.length + 1);
    const holding = rows.find((row) => row["symbol"] === symbol);
    const held = holding === undefined ? "0" : String(holding["quantity"]);
    return base.eq(held) ? [] : [`holds ${held} ${symbol}, exchange: ${base.toFixed()}`];
  });
  // Spot: cash moves with every fill. Perpetual: by results only, so what is open counts at its cost.
  const moved = own.reduce((total, [, { quote }]) => total.plus(quote), ZERO);
  const cost = isSpot ? ZERO : sum(rows.map((row) => String(row["cost"])));
  const cash = decimal(String(strategy["initial_balance"])).plus(moved).plus(cost);
  if (!cash.eq(String(strategy["current_balance"]))) {
    wrong.push(`cash ${String(strategy["current_balance"])}, exchange: ${cash.toFixed()}`);
  }
  return wrong.map((what) => `strategy ${String(strategy["instance_name"])}: ${what}`);
}

function flowOf({ fills }: BookOrder): Flow {
  return fills.reduce<Flow>(
    (flow, fill) => {
      const sign = fill.side === "BUY" ? 1 : -1;
      const notional = decimal(fill.quantity).times(fill.price);
      const paid = fill.fee.currency === "quote" ? decimal(fill.fee.amount) : ZERO;
      return plus(flow, {
        base: decimal(fill.quantity).times(sign).minus(baseFee(fill)),
        quote: notional.times(-sign).minus(paid),
      });
    },
    { base: ZERO, quote: ZERO },
  );
}

function plus(flow: Flow = { base: ZERO, quote: ZERO }, more: Flow): Flow {
  return { base: flow.base.plus(more.base), quote: flow.quote.plus(more.quote) };
}

type BookFill = BookOrder["fills"][number];

const baseFee = ({ fee }: BookFill): string => (fee.currency === "base" ? fee.amount : "0");

/** As an instruction states it: in quote currency, whatever it was paid in. */
const quoteFee = ({ fee, price }: BookFill): Decimal =>
  fee.currency === "quote" ? decimal(fee.amount) : decimal(fee.amount).times(price);

const sum = (amounts: readonly (string | Decimal)[]): Decimal =>
  amounts.length === 0 ? ZERO : Decimal.sum(...amounts);

const isZero = (amount: unknown): boolean => decimal(String(amount)).isZero();

const keyOf = (row: Row): string => `${String(row["account"])} ${String(row["client_order_id"])}`;

const name = (row: Row): string =>
  `${String(row["instruction_id"])} (${String(row["side"])} ${String(row["quantity"])}, ${String(row["status"])})`;
