import type { Client } from "./client.ts";
import type { Output } from "./command.ts";
import { instant, money, percent, price } from "./format.ts";
import type { Column } from "./grid.ts";
import { printable } from "./printable.ts";

type Strategies = Client["strategies"];
type Strategy = Awaited<ReturnType<Strategies["get"]["query"]>>;
type Portfolio = Awaited<ReturnType<Strategies["holding"]["query"]>>;
type Performance = Awaited<ReturnType<Strategies["performance"]["query"]>>;
type Position = NonNullable<Portfolio>["holdings"][number];

interface Card {
  strategy: Strategy;
  holding: Portfolio;
  performance: Performance;
}

/** Everything worth knowing about one strategy, for people. */
export function strategyCard({ strategy, holding, performance }: Card, output: Output): string {
  const facts: [string, string][] = [
    ["id", strategy.id],
    ["template", `${strategy.definitionName} (every ${strategy.periodMinutes} min)`],
    ["state", standing(strategy)],
    ["equity", `${money(strategy.totalValue)} from ${money(strategy.initialBalance)}`],
    ["orders", sizes(strategy)],
    ["return", percent(Number(strategy.returnFraction))],
    ["realized", money(strategy.realizedPnl)],
    ["unrealized", money(strategy.unrealizedPnl)],
    ["deepest fall", percent(-Number(strategy.maxDrawdown))],
    ["Sharpe ratio", performance.sharpe === null ? "-" : performance.sharpe.toFixed(2)],
    ["closed trades", closed(performance)],
    ["cycles", `${strategy.cycleIndex}, the last at ${instant(strategy.lastExecutionAt)}`],
    ["params", `version ${strategy.paramsVersion}: ${JSON.stringify(strategy.params)}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `  ${name.padEnd(width)}  ${printable(value)}`);
  const positions = holding?.holdings ?? [];
  const held = positions.length === 0 ? "  no open positions" : output.table(positions, columns);
  return [printable(strategy.name), ...lines, "", held].join("\n");
}

function standing({ desiredStatus, pending, state, stopReason, stopReasonDetail }: Strategy) {
  if (pending) return `${state}, ${desiredStatus} is asked for`;
  const reasons = [stopReason, stopReasonDetail].filter((reason) => reason !== null);
  return reasons.length === 0 ? state : `${state} (${reasons.join(": ")})`;
}

function sizes({ tooSmall, tradeChannel }: Strategy): string {
  if (tooSmall === null) return "-";
  if (tooSmall === "none") return "large enough";
  const which = tooSmall === "all" ? "every purchase is" : "its smaller purchases are";
  return `${which} below the smallest order of ${tradeChannel} and left out`;
}

function closed({ trades }: Performance): string {
  return `${trades.closed}, ${trades.wins} won, ${trades.losses} lost`;
}

const columns: readonly Column<Position>[] = [
  { head: "  SYMBOL", cell: ({ symbol }) => `  ${symbol}` },
  { head: "QUANTITY", cell: ({ quantity }) => quantity, align: "right" },
  { head: "ENTRY", cell: ({ entryPrice }) => price(entryPrice), align: "right" },
  { head: "MARK", cell: ({ markPrice }) => price(markPrice), align: "right" },
  { head: "RESULT", cell: ({ unrealizedPnl }) => money(unrealizedPnl), align: "right" },
  { head: "SINCE", cell: ({ entryAt }) => instant(entryAt), dispensable: 1 },
];
