import { expect, test } from "vitest";
import { systemClock } from "#adapters/system-clock.ts";

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

test("observing an instant does not move real time", () => {
  systemClock.observe(Date.now() + 1e9);
  expect(systemClock.now()).toBeLessThan(Date.now() + 1000);
});
