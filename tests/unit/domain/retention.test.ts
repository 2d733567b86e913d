import { describe, expect, test } from "vitest";
import { InvalidInputError } from "#domain/errors.ts";
import { cutoffsOf, parseRetention } from "#domain/retention.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe("how long history is kept whole", () => {
  test.each([
    ["36h", 36 * HOUR_MS],
    ["90d", 90 * DAY_MS],
    ["2w", 14 * DAY_MS],
  ])("%s is a span, and hourly points are kept four times as long", (keep, keepMs) => {
    expect(parseRetention({ keep })).toEqual({ keepMs, keepHourlyMs: 4 * keepMs });
  });

  test("hourly points are kept as long as asked for, no less than everything", () => {
    const asked = parseRetention({ keep: "2d", keepHourly: "48h" });
    expect(asked).toEqual({ keepMs: 2 * DAY_MS, keepHourlyMs: 2 * DAY_MS });
  });

  test.each([
    ["keep", { keep: "0d" }],
    ["keep", { keep: "banana" }],
    ["keep", { keep: "-5d" }],
    ["keep", { keep: "90" }],
    ["keep", { keep: "1.5d" }],
    ["keep", { keep: "" }],
    ["keep", { keep: "999999999w" }],
    ["keepHourly", { keep: "90d", keepHourly: "0h" }],
    ["keepHourly", { keep: "90d", keepHourly: "89d" }],
  ])("what is wrong with %s is said by name: %j", (field, request) => {
    const parse = () => parseRetention(request);
    expect(parse).toThrow(InvalidInputError);
    expect(parse).toThrow(
      expect.objectContaining({
        code: "INVALID_INPUT",
        fields: [{ field, message: expect.stringContaining("expected") }],
      }),
    );
  });
});

test("what is old is counted back from the newest tick to a whole hour and a whole day", () => {
  const retention = { keepMs: DAY_MS, keepHourlyMs: 2 * DAY_MS };
  const newest = Date.UTC(2024, 0, 4, 10, 20);
  expect(cutoffsOf(retention, newest)).toEqual({
    hourlyBefore: Date.UTC(2024, 0, 3, 10),
    dailyBefore: Date.UTC(2024, 0, 2),
  });
  const onTheHour = Date.UTC(2024, 0, 4);
  expect(cutoffsOf(retention, onTheHour)).toEqual({
    hourlyBefore: Date.UTC(2024, 0, 3),
    dailyBefore: Date.UTC(2024, 0, 2),
  });
});
