import { decimal, toDecimalString } from "#domain/decimal.ts";
import {
  ONE,
  divide,
  divideDown,
  fixed,
  fixedOf,
  fixedString,
  multiply,
  multiplyUp,
  parseFixed,
} from "#domain/fixed.ts";
import { describe, expect, test } from "vitest";

describe("fixed-point decimals", () => {
  test.each(["0", "1", "-1", "0.1", "-0.000000000000000001", "123456789012345678901234567890.5"])(
    "%s is read and written back unchanged",
    (text) => expect(fixedString(fixed(text))).toBe(text),
  );

  test.each([
    ["1e-7", "0.0000001"],
    ["+2.50", "2.5"],
    [".5", "0.5"],
    ["-.5", "-0.5"],
    ["3.", "3"],
    ["-0", "0"],
    ["0.0000000000000000015", "0.000000000000000002"],
    ["0.0000000000000000025", "0.000000000000000002"],
  ])("%s is read as %s", (text, expected) => expect(fixedString(fixed(text))).toBe(expected));

  test.each(["", " ", ".", "abc", "0x10", "NaN", "Infinity", "1,5", "1.2.3"])(
    "%j is not a number",
    (text) => {
      expect(parseFixed(text)).toBeNull();
      expect(() => fixed(text)).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
    },
  );

  test("a rate is read from its shortest notation", () => {
    expect(fixedString(fixedOf(0.1))).toBe("0.1");
    expect(fixedString(fixedOf(5e-7))).toBe("0.0000005");
  });

  test.each([
    ["0.5", "0.000000000000000001"],
    ["1.5", "0.000000000000000001"],
    ["-2.5", "0.000000000000000001"],
    ["-123.456", "0.333333333333333333"],
  ])("%s × %s rounds as the decimal library does", (left, right) => {
    const expected = toDecimalString(decimal(left).times(right));
    expect(fixedString(multiply(fixed(left), fixed(right)))).toBe(expected);
  });

  test.each([
    ["1", "3"],
    ["-2", "3"],
    ["2", "-7"],
    ["-1", "-1.5"],
  ])("%s ÷ %s rounds as the decimal library does", (left, right) => {
    const expected = toDecimalString(decimal(left).div(right));
    expect(fixedString(divide(fixed(left), fixed(right)))).toBe(expected);
  });

  test("rounding down and up go where their names say", () => {
    expect(divideDown(2n * ONE, 3n * ONE)).toBe(666_666_666_666_666_666n);
    expect(multiplyUp(1n, 1n)).toBe(1n);
    expect(multiplyUp(0n, 1n)).toBe(0n);
  });
});
