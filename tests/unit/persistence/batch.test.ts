import { expect, test } from "vitest";
import { batchOf } from "#persistence/hot/batch.ts";

const batch = batchOf({ id: "uuid", note: "text", detail: "jsonb" });

function notes(...values: unknown[]): string | undefined {
  return batch.params(values.map((note) => ({ note })))[1];
}

test("a batch is one array per column", () => {
  const rows = [
    { id: "a", note: "first", detail: { n: 1 } },
    { id: "b", note: "second", detail: null },
  ];
  expect(batch.params(rows)).toEqual([
    '{"a","b"}',
    '{"first","second"}',
    String.raw`{"{\"n\":1}",NULL}`,
  ]);
});

test("a batch without rows is empty arrays", () => {
  expect(batch.params([])).toEqual(["{}", "{}", "{}"]);
});

test("texts that mean something in an array are only text", () => {
  expect(notes("NULL", "", "a,b", "{}", " ")).toBe('{"NULL","","a,b","{}"," "}');
});

test("quotes and backslashes are escaped, alone and beside empty values", () => {
  expect(notes('say "no"', "plain")).toBe(String.raw`{"say \"no\"","plain"}`);
  expect(notes(null, String.raw`C:\new`)).toBe(String.raw`{NULL,"C:\\new"}`);
});

test("line breaks stay what they are", () => {
  expect(notes('first\n"second"\t')).toBe('{"first\n\\"second\\"\t"}');
});

test("any script stays what it is", () => {
  expect(notes("动量 × 2 😀", '"动量"')).toBe(String.raw`{"动量 × 2 😀","\"动量\""}`);
});

test.each(["\ud800", "\udc00"])("half a surrogate pair is refused", (half) => {
  expect(() => notes(`x${half}`)).toThrow(RangeError);
  expect(() => notes(null, `${half}x`)).toThrow(RangeError);
});

test("two halves of neighbours do not make a pair", () => {
  expect(() => notes("\ud83d", "\ude00")).toThrow(RangeError);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 1n, {}])("a value no column holds", (value) => {
  expect(() => notes(value)).toThrow(RangeError);
});
