import { describe, expect, test } from "vitest";
import { z } from "zod";
import { fieldErrorsOf, fieldsInWords, firstFields } from "#domain/field-errors.ts";
import { inputProblems } from "#domain/input-limits.ts";
import { amountInput, idInput, lineInput, referenceInput, textInput } from "#domain/inputs.ts";

const problemOf = (schema: z.ZodType, value: unknown): string | null =>
  schema.safeParse(value).error?.issues[0]?.message ?? null;

describe("an amount", () => {
  test.each([
    ["10000", "10000"],
    ["750.00", "750"],
    ["007.5", "7.5"],
    ["0.000000000000000001", "0.000000000000000001"],
    ["1000000000000", "1000000000000"],
  ])("%s is stored as %s", (given, stored) => {
    expect(amountInput.parse(given)).toBe(stored);
  });

  test.each([
    ["1000.0000000000000000005", "1000"],
    ["1000.0000000000000000015", "1000.000000000000000002"],
    ["0.9999999999999999999", "1"],
  ])("%s is rounded half to even at the edge to %s", (given, stored) => {
    expect(amountInput.parse(given)).toBe(stored);
  });

  test.each([
    "0",
    "0.000",
    "-1",
    "1e3",
    "4e-19",
    "0.0000000000000000004",
    "1000000000000.000000000000000001",
    "99999999999999999999",
    "9".repeat(21),
    "9".repeat(300),
    "Infinity",
    "NaN",
    "1,000",
    "",
    " 5",
    "5\u0000",
    "٣",
  ])("%j is refused, and the bounds are said", (given) => {
    expect(problemOf(amountInput, given)).toMatch(/above 0 and up to 1000000000000 /);
  });

  test("a number is refused in our words", () => {
    expect(problemOf(amountInput, 1000)).toMatch(/as a text of plain digits.*was 1000$/);
  });
});

describe("a text", () => {
  test.each(["\u001B[31mred", "a\u0000b", "a\nb", "bell\u0007", "c1\u009B31m"])(
    "%j is no line",
    (given) => {
      expect(problemOf(lineInput(50), given)).toContain("control characters");
    },
  );

  test("of several lines may have tabs and line ends, and nothing else that steers", () => {
    expect(problemOf(textInput(50), "a\tb\r\nc")).toBeNull();
    expect(problemOf(textInput(50), "a\u001Bb")).toContain("control characters");
  });

  test("is bounded in our words", () => {
    expect(problemOf(lineInput(3), "abcd")).toBe('expected at most 3 characters, was "abcd"');
    expect(problemOf(lineInput(3), "  ")).toBe('expected at least 1 characters, was ""');
    expect(problemOf(lineInput(3), 7)).toBe("expected a text, was 7");
  });

  test("that an error repeats is cut, and cannot steer a terminal", () => {
    const message = problemOf(lineInput(3), `\u009B31m${"x".repeat(10_000)}`) ?? "";
    expect(message.length).toBeLessThan(200);
    expect(message).toContain("\\u009b31m");
  });
});

test("an id is compared in lower case, and so is a reference that is one", () => {
  const id = "3F2A91C0-0000-4000-8000-00000000ABCD";
  expect(idInput.parse(id)).toBe(id.toLowerCase());
  expect(referenceInput.parse(id)).toBe(id.toLowerCase());
  expect(referenceInput.parse("Multi_Agent")).toBe("Multi_Agent");
  expect(problemOf(idInput, "the-first")).toBe('expected an id (a UUID), was "the-first"');
});

describe("what no input may hold", () => {
  test.each([
    ["half a surrogate pair", { name: "a\uD800" }, "name"],
    ["the other half", { tags: ["ok", "\uDC00b"] }, "tags.1"],
    ["NUL deep in params", { params: { a: { b: "x\0" } } }, "params.a.b"],
    ["NUL in a name", { params: { "x\0": 1 } }, 'params."x\\u0000"'],
    ["the name of a prototype", JSON.parse('{"params":{"__proto__":{}}}'), 'params."__proto__"'],
  ])("%s is refused with its field", (_what, input, field) => {
    expect(inputProblems(input).map((problem) => problem.field)).toEqual([field]);
  });

  test("a whole pair, an emoji and deep params of ours are taken", () => {
    expect(inputProblems({ name: "😀 名字", params: { a: { b: { c: [1, "x"] } } } })).toEqual([]);
  });

  test("nesting is bounded, however deep it is", () => {
    const deep: unknown = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    const [problem] = inputProblems({ params: deep });
    expect(problem?.message).toBe("expected at most 20 levels of nesting");
    expect(problem?.field.length).toBeLessThan(100);
  });

  test("the number of values is bounded", () => {
    const params = Object.fromEntries(Array.from({ length: 30_000 }, (_, n) => [`p${n}`, n]));
    expect(inputProblems({ params })).toEqual([
      { field: "params", message: "expected at most 20 000 values in all" },
    ]);
  });
});

test("of many wrong fields the first are named and the rest is counted", () => {
  const given = Object.fromEntries(Array.from({ length: 15_000 }, (_, n) => [`p${n}`, n]));
  const { error } = z.strictObject({}).safeParse(given);
  const fields = error === undefined ? [] : fieldErrorsOf(error, "params");
  expect(fields).toHaveLength(15_000);
  expect(firstFields(fields)).toHaveLength(11);
  expect(fieldsInWords(fields)).toMatch(/^p0: is not known here.*; and 14 990 more$/);
});
