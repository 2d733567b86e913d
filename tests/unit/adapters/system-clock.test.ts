import { beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "#ports/clock.ts";
import { createSystemClock } from "#adapters/system-clock.ts";

const systemClock = createSystemClock();
const awake = new AbortController().signal;

test("the system clock tells real time and is not simulated", () => {
  const before = Date.now();
  expect(systemClock.now()).toBeGreaterThanOrEqual(before);
  expect(systemClock.simulated).toBe(false);
});

test("a sleep ends when its instant has come", async () => {
  const instant = systemClock.now() + 15;
  await systemClock.sleepUntil(instant, awake);
  expect(systemClock.now()).toBeGreaterThanOrEqual(instant);
});

test("a sleep until the past returns at once", async () => {
  await systemClock.sleepUntil(0, awake);
});

test("a sleep of years ends when it is aborted", async () => {
  const stopping = new AbortController();
  const sleeping = systemClock.sleepUntil(systemClock.now() + 1e11, stopping.signal);
  stopping.abort();
  await sleeping;
});

describe("when the machine's clock is set", () => {
  const HOUR = 3_600_000;
  let wall: number;
  let elapsed: number;
  let clock: Clock;
  const pass = (ms: number): void => {
    wall += ms;
    elapsed += ms;
  };

  beforeEach(() => {
    wall = Date.UTC(2026, 2, 29);
    elapsed = 0;
    clock = createSystemClock({ wall: () => wall, elapsed: () => elapsed });
  });

  test("forward, time jumps", () => {
    wall += HOUR;
    expect(clock.now()).toBe(wall);
  });

  test("back, time goes on at half its speed until it is right again", () => {
    const before = clock.now();
    wall -= HOUR;
    expect(clock.now()).toBe(before);
    pass(HOUR);
    expect(clock.now()).toBe(before + HOUR / 2);
    pass(HOUR);
    expect(clock.now()).toBe(before + HOUR);
    pass(HOUR);
    expect(clock.now()).toBe(wall);
    expect(wall).toBe(before + 2 * HOUR);
  });

  test("however often it is read, it goes as fast", () => {
    const before = clock.now();
    wall -= HOUR;
    for (let read = 0; read < 1_000; read += 1) {
      pass(1);
      clock.now();
    }
    expect(clock.now()).toBe(before + 500);
  });

  test("by a smeared leap second, time never steps back and ends right", () => {
    let last = clock.now();
    // Half a day slower than real time, as public time servers do it.
    for (let second = 0; second < 43_200; second += 1) {
      wall += 1000 - 1000 / 43_200;
      elapsed += 1000;
      expect(clock.now()).toBeGreaterThanOrEqual(last);
      last = clock.now();
    }
    expect(last).toBe(Math.floor(wall));
  });

  test("behind a tick that is known, time goes on from there", () => {
    clock.observe(wall + HOUR);
    expect(clock.now()).toBe(wall + HOUR);
    clock.observe(wall - HOUR);
    expect(clock.now()).toBe(wall + HOUR);
    pass(1_000);
    expect(clock.now()).toBe(wall + HOUR - 500);
  });
});
