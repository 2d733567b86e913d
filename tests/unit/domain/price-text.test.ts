import fc from "fast-check";
import { expect, test } from "vitest";
import { decimal } from "#domain/decimal.ts";
import { priceText } from "#domain/price-text.ts";

test.each([
  ["43210.5", "43210.5"],
  ["43210.567", "43210.57"],
  ["1.083456", "1.08346"],
  ["0.0000119", "0.0000119"],
  ["0.000013501858", "0.0000135019"],
  ["0.00000000000000012345678", "0.000000000000000123457"],
  [3.2e-7, "0.00000032"],
  ["-1.5", "-1.5"],
  ["0", "0"],
])("a price of %s is shown as %s", (value, shown) => {
  expect(priceText(value)).toBe(shown);
});

test("what is measured in prices has the digits of the price", () => {
  expect(priceText(0.123456789, 43_210)).toBe("0.12");
  expect(priceText(0.00000000123, 0.0000119)).toBe("0.0000000012");
});

test("only zero is shown as zero", () => {
  expect(priceText(0.00000123, 43_210)).toBe("0.0000012");
});

test("a price is shown to a hundred-thousandth of itself and never with an exponent", () => {
  const price = fc.double({ min: 1e-15, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(price, (value) => {
      const shown = priceText(value);
      expect(shown).toMatch(/^\d+(\.\d+)?$/);
      expect(decimal(shown).minus(value).abs().div(value).toNumber()).toBeLessThan(1e-5);
    }),
  );
});
