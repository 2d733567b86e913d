import { describe, expect, test } from "vitest";
import { readConfig } from "#config/config.ts";

describe("numbers of the environment", () => {
  const accepted: [string, string, unknown][] = [
    ["TROUPE_PORT", "0", 0],
    ["TROUPE_PORT", "65535", 65_535],
    ["TROUPE_HEARTBEAT_SECONDS", "300", 300],
    ["TROUPE_REPLAY_SPEED", "0.001", 0.001],
    ["TROUPE_REPLAY_SPEED", "10000", 10_000],
    ["TROUPE_REPLAY_SPEED", "max", null],
  ];
  test.for(accepted)("%s=%s is taken", ([name, value, expected]) => {
    expect(Object.values(readConfig({ [name]: value }))).toContain(expected);
  });

  const port = "TROUPE_PORT: expected a whole number from 0 to 65535, in digits";
  const speed = 'TROUPE_REPLAY_SPEED: expected a number from 0.001 to 10000, or "max"';
  const refused: [string, string, string][] = [
    ...["1e3", " 7966 ", "7966.0", "+7966", "-1", "0x10", "65536", "07966", "７９６６"].map(
      (value): [string, string, string] => ["TROUPE_PORT", value, port],
    ),
    ...["1e308", "1e-9", "0", "0.0001", "10001", " 4", "Infinity", "NaN", ".5", "-1", "MAX"].map(
      (value): [string, string, string] => ["TROUPE_REPLAY_SPEED", value, speed],
    ),
    ["TROUPE_HEARTBEAT_SECONDS", "1", "expected a whole number from 2 to 300, in digits"],
    ["TROUPE_ENGINE_THREADS", "1e1", "expected a whole number from 0 to 64, in digits"],
  ];
  test.for(refused)("%s=%j is refused with its bounds", ([name, value, expected]) => {
    expect(() => readConfig({ [name]: value })).toThrow(expected);
  });
});

test("a database address that names nothing is refused by name", () => {
  expect(() => readConfig({ DATABASE_URL: "postgres://" })).toThrow(
    "DATABASE_URL: expected postgres://user@host:port/database, was without a host",
  );
});
