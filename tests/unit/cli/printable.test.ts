import { expect, test } from "vitest";
import {
  jsonText,
  printable,
  printableLines,
  withoutControls,
} from "../../../src/cli/printable.ts";

const EVIL = "a\u001B[31mred\u001B]0;title\u0007\u009B2Jb\u202Ec";

test("a text of somebody else is one line that steers nothing", () => {
  expect(printable(`${EVIL}\nnext`)).toBe("aredbc next");
});

test("several lines stay several lines", () => {
  expect(printableLines("one\r\ntwo\u001B[2J")).toBe("one\ntwo");
});

test("the product's own colours stay, and nothing else that steers does", () => {
  const table = `\u001B[32mrunning\u001B[39m\nnext\u001B[2J\u0000`;
  expect(withoutControls(table)).toBe("\u001B[32mrunning\u001B[39m\nnext ");
});

test("JSON keeps its value, with escapes for what a terminal obeys", () => {
  const text = jsonText({ name: EVIL }, 2);
  expect(JSON.parse(text)).toEqual({ name: EVIL });
  expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});
