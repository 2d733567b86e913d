import type { Client } from "./client.ts";
import { ordersOf, whatHappened, whyItHappened, type Cycle } from "./cycle-story.ts";
import { instant, money, percent, price, shortId } from "./format.ts";
import type { Cell, Column } from "./grid.ts";

type Items<Page extends (...given: never[]) => Promise<{ items: unknown[] }>> = Awaited<
  ReturnType<Page>
>["items"][number];

type Strategy = Items<Client["strategies"]["list"]["query"]>;
type Trade = Items<Client["strategies"]["trades"]["query"]>;

export const strategyColumns: readonly Column<Strategy>[] = [
  { head: "ID", cell: ({ id }) => shortId(id) },
  { head: "NAME", cell: ({ name }) => name, elastic: true },
  { head: "DEFINITION", cell: ({ definitionName }) => definitionName, dispensable: 3 },
  { head: "STATE", cell: stateOf },
  { head: "ORDERS", cell: sizeOf, dispensable: 2 },
  { head: "EQUITY", cell: ({ totalValue }) => money(totalValue), align: "right" },
  { head: "RETURN", cell: ({ returnFraction }) => signed(returnFraction), align: "right" },
  {
    head: "TRADES",
    cell: ({ totalTrades }) => String(totalTrades),
    align: "right",
    dispensable: 2,
  },
  { head: "CYCLES", cell: ({ cycleIndex }) => String(cycleIndex), align: "right", dispensable: 1 },
  { head: "LAST", cell: ({ lastExecutionAt }) => instant(lastExecutionAt), dispensable: 4 },
];

export const cycleColumns: readonly Column<Cycle>[] = [
  { head: "#", cell: ({ cycleIndex }) => String(cycleIndex), align: "right" },
  { head: "ID", cell: ({ composeId }) => composeId },
  { head: "TIME", cell: ({ composeTime }) => instant(composeTime), dispensable: 3 },
  { head: "WHAT", cell: whatOf },
  { head: "ORDERS", cell: ordersOf, dispensable: 1 },
  { head: "EQUITY", cell: ({ totalValue }) => money(totalValue), align: "right", dispensable: 2 },
  { head: "WHY", cell: whyItHappened, elastic: true },
];

export const tradeColumns: readonly Column<Trade>[] = [
  { head: "TIME", cell: ({ eventAt }) => instant(eventAt) },
  { head: "SYMBOL", cell: ({ symbol }) => symbol },
  { head: "WHAT", cell: ({ kind, type }) => `${kind} ${type.toLowerCase()}` },
  { head: "QUANTITY", cell: ({ quantity }) => quantity, align: "right" },
  { head: "ENTRY", cell: ({ entryPrice }) => price(entryPrice), align: "right" },
  {
    head: "EXIT",
    cell: ({ exitPrice }) => (exitPrice === null ? "-" : price(exitPrice)),
    align: "right",
  },
  { head: "FEE", cell: ({ feeCost }) => money(feeCost), align: "right", dispensable: 2 },
  { head: "RESULT", cell: ({ realizedPnl }) => moneyOrNone(realizedPnl), align: "right" },
  { head: "CYCLE", cell: ({ cycleIndex }) => `#${cycleIndex}`, align: "right", dispensable: 1 },
];

function stateOf({ inProgress, pending, state, desiredStatus }: Strategy): Cell {
  if (inProgress !== null && !pending) return { text: `${inProgress} …`, style: "yellow" };
  if (pending) return { text: `${state} → ${desiredStatus}`, style: "yellow" };
  return { text: state, style: state === "running" ? "green" : "dim" };
}

/** Whether its purchases are large enough for its venue. */
function sizeOf({ tooSmall }: Strategy): Cell | string {
  if (tooSmall === null) return "-";
  if (tooSmall === "none") return "ok";
  return { text: `${tooSmall} too small`, style: tooSmall === "all" ? "red" : "yellow" };
}

function signed(fraction: string): Cell | string {
  const value = Number(fraction);
  if (value === 0) return percent(0);
  return { text: percent(value), style: value > 0 ? "green" : "red" };
}

function whatOf(cycle: Cycle): Cell | string {
  const text = whatHappened(cycle);
  return text === "failed" ? { text, style: "red" } : text;
}

function moneyOrNone(amount: string | null): string {
  return amount === null ? "-" : money(amount);
}
