import { expect, test } from "vitest";
import { ordersOf, whatHappened, whyItHappened, type Cycle } from "../../../src/cli/cycle-story.ts";

const HELD = "Nothing is traded because BTC/USDT is already held long.";
const STOP = "stop loss at 33000 reached: low 32900, high 34000, last 33500";

test("a stop loss is told before the decision that held", () => {
  const row = cycle({ note: STOP }, { signal: "HOLD", rationale: HELD });
  expect(whatHappened(row)).toBe("stop loss");
  expect(whyItHappened(row)).toBe(`${STOP}; ${HELD}`);
  expect(ordersOf(row)).toBe("SELL 0.1 at 33,000 filled");
});

test.each([
  ["take profit at 40000 reached: low 1, high 2, last 3", "take profit"],
  ["liquidated: the price crossed 90.53", "liquidated"],
])("an exit with the note %s is told as %s, also where no decision was made", (note, what) => {
  const row = cycle({ note }, { rationale: "no decision: too slow", status: "failed" });
  expect(whatHappened(row)).toBe(what);
  expect(whyItHappened(row)).toBe(`${note}; no decision: too slow`);
});

test("what a decision ordered is told by its signal and its own words", () => {
  const items = [{ symbol: "BTC/USDT", action: "close_long" as const, quantity: "0.1" }];
  const row = cycle({ note: "sold" }, { signal: "SELL", rationale: "conviction 20", items });
  expect(whatHappened(row)).toBe("SELL");
  expect(whyItHappened(row)).toBe("conviction 20");
});

test("a stop that a user asked for is told by the reason given", () => {
  const rationale = "closing all positions: holiday";
  const row = cycle({ note: "closes the position" }, { cause: "stop", rationale });
  expect([whatHappened(row), whyItHappened(row)]).toEqual(["stop", rationale]);
});

interface Shape {
  cause?: Cycle["cause"];
  signal?: "HOLD" | "SELL";
  rationale: string;
  status?: Cycle["status"];
  items?: NonNullable<Cycle["decision"]>["items"];
}

/** As much of a cycle as its story reads. */
function cycle({ note }: { note: string }, shape: Shape): Cycle {
  const { cause = "tick", items = [], rationale, signal, status = "completed" } = shape;
  const decision = signal === undefined ? null : { signal, items, warnings: [], details: {} };
  const instruction = {
    symbol: "BTC/USDT",
    action: "close_long",
    side: "SELL",
    quantity: "0.1",
    filledQuantity: "0.1",
    averagePrice: "33000",
    status: "filled",
    note,
  };
  return { cause, status, rationale, decision, instructions: [instruction] } as unknown as Cycle;
}
