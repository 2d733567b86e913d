import { expect, test } from "vitest";
import { isStill, trueRange } from "#tools/movement.ts";

test("the true range reaches to the close before", () => {
  expect(trueRange({ high: 12, low: 10, close: 11 }, 9)).toBe(3);
  expect(trueRange({ high: 12, low: 10, close: 11 }, 15)).toBe(5);
  expect(trueRange({ high: 12, low: 10, close: 11 }, undefined)).toBe(2);
});

test("a market of which fewer than five of twenty bars moved stands still", () => {
  expect(isStill(barsOf(Array(21).fill(7)))).toBe(true);
  expect(isStill(barsOf([...Array(17).fill(7), 8, 9, 10, 11]))).toBe(true);
  expect(isStill(barsOf([...Array(16).fill(7), 8, 9, 10, 11, 12]))).toBe(false);
});

test("a move inside of bars that close where they opened is one", () => {
  expect(isStill(barsOf(Array(21).fill(7)).map((bar) => ({ ...bar, high: 7.01 })))).toBe(false);
});

test("a difference of the last bits of a double is no move", () => {
  expect(isStill(barsOf(Array.from({ length: 21 }, (_, i) => (i % 2 ? 0.3 : 0.1 + 0.2))))).toBe(
    true,
  );
});

test("of fewer than 21 bars nobody can say", () => {
  expect(isStill(barsOf(Array(20).fill(7)))).toBe(false);
});

const barsOf = (closes: readonly number[]) =>
  closes.map((close) => ({ high: close, low: close, close }));
