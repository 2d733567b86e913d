// What happened in a cycle and why, cause first: an exit that nobody decided comes before the words of
// the decision it overruled.
import type { Client } from "./client.ts";
import { price } from "./format.ts";

export type Cycle = Awaited<ReturnType<Client["strategies"]["cycles"]["query"]>>["items"][number];
type Instruction = Cycle["instructions"][number];

/** Exits that a protection or a liquidation forced, whatever the decision was. */
function forced({ cause, decision, instructions }: Cycle): Instruction[] {
  if (cause === "stop") return [];
  const items = decision?.items ?? [];
  return instructions.filter(
    ({ action, note, symbol }) =>
      note !== null && !items.some((item) => item.symbol === symbol && item.action === action),
  );
}

/** `stop loss`, `take profit`, `stop`, or else what was decided. */
export function whatHappened(cycle: Cycle): string {
  const [exit] = forced(cycle);
  if (exit !== undefined)
    return /^(stop loss|take profit|liquidat\w+)/i.exec(exit.note ?? "")?.[0] ?? "exit";
  if (cycle.status === "failed") return "failed";
  return cycle.decision?.signal ?? cycle.cause;
}

export function whyItHappened(cycle: Cycle): string {
  const notes = forced(cycle).map(({ note }) => note ?? "");
  const [words = ""] = cycle.rationale.split("\n", 1);
  return [...notes, words].join("; ");
}

export function ordersOf({ instructions }: Cycle): string {
  return instructions.length === 0 ? "-" : instructions.map(orderText).join(", ");
}

function orderText({ averagePrice, filledQuantity, quantity, side, status }: Instruction): string {
  if (averagePrice === null) return `${side} ${quantity} ${status}`;
  return `${side} ${filledQuantity} at ${price(averagePrice)} ${status}`;
}
