import { expect, test } from "vitest";
import type { CommittedChange } from "#engine/live/live-view.ts";
import { IN_A_ROW, SmallPurchases } from "#engine/live/small-purchases.ts";

const change = (purchase: CommittedChange["purchase"], strategyId = "a"): CommittedChange => ({
  strategyId,
  state: "running",
  stopReason: null,
  seq: 1,
  cycle: null,
  purchase,
});

const times = (count: number, purchase: CommittedChange["purchase"]): CommittedChange[] =>
  Array.from({ length: count }, () => change(purchase));

test("decisions to buy that leave no order are said after ten in a row, and again", () => {
  const watch = new SmallPurchases();
  expect(watch.note(times(IN_A_ROW - 1, "too_small"))).toEqual([]);
  expect(watch.note([change("too_small")])).toEqual([
    expect.objectContaining({ kind: "purchases_too_small", strategyId: "a", subject: "a" }),
  ]);
  expect(watch.note(times(IN_A_ROW, "too_small"))).toHaveLength(1);
});

test("an order in between begins the count anew, a cycle without a purchase does not", () => {
  const watch = new SmallPurchases();
  const almost = times(IN_A_ROW - 1, "too_small");
  expect(watch.note([...almost, change("ordered"), ...almost])).toEqual([]);
  expect(watch.note([change(null), change("too_small")])).toHaveLength(1);
});

test("every strategy is counted for itself", () => {
  const watch = new SmallPurchases();
  watch.note(times(IN_A_ROW - 1, "too_small"));
  expect(watch.note([change("too_small", "b")])).toEqual([]);
});
