import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Timer } from "#ports/clock.ts";
import { createReplayClock } from "#adapters/replay-clock.ts";

const awake = new AbortController().signal;

test("sleeping moves time to the instant asked for", async () => {
  const clock = fastClock();
  await clock.sleepUntil(1500, awake);
  expect(clock.now()).toBe(1500);
  expect(clock.simulated).toBe(true);
});

test("sleeping until the past returns at once and does not move time back", async () => {
  const clock = fastClock();
  await clock.sleepUntil(500, awake);
  expect(clock.now()).toBe(1000);
});

test("sleepers wake in the order of their instants, whoever came first", async () => {
  const clock = fastClock();
  const woken: string[] = [];
  const sleep = async (name: string, instant: number) => {
    await clock.sleepUntil(instant, awake);
    woken.push(`${name} at ${clock.now()}`);
  };
  await Promise.all([sleep("late", 4000), sleep("early", 2000), sleep("middle", 3000)]);
  expect(woken).toEqual(["early at 2000", "middle at 3000", "late at 4000"]);
});

test("sleepers of one instant wake together, first come first", async () => {
  const clock = fastClock();
  const woken: number[] = [];
  const sleep = (id: number) => clock.sleepUntil(2000, awake).then(() => woken.push(id));
  await Promise.all([sleep(1), sleep(2), sleep(3)]);
  expect(woken).toEqual([1, 2, 3]);
});

test("observing an instant moves time forward, never back, and wakes who waited for it", async () => {
  const timer = handTimer();
  const clock = createReplayClock({ start: 1000, end: 9000, ticksPerSecond: 1, timer });
  await clock.sleepUntil(2000, awake);
  const sleeping = clock.sleepUntil(3000, awake);
  clock.observe(3500);
  await sleeping;
  expect(clock.now()).toBe(3500);
  clock.observe(100);
  expect(clock.now()).toBe(3500);
});

test("advances keep the asked pace in real time", async () => {
  const timer = handTimer();
  const clock = createReplayClock({ start: 1000, end: 9000, ticksPerSecond: 4, timer });
  await clock.sleepUntil(2000, awake);
  const sleeping = clock.sleepUntil(3000, awake);
  await timer.asked();
  expect(timer.waits).toEqual([250]);
  expect(clock.now()).toBe(2000);
  timer.pass(250);
  await sleeping;
  expect(clock.now()).toBe(3000);
});

test("time the work took counts towards the pace", async () => {
  const timer = handTimer();
  const clock = createReplayClock({ start: 1000, end: 9000, ticksPerSecond: 4, timer });
  await clock.sleepUntil(2000, awake);
  timer.pass(300);
  await clock.sleepUntil(3000, awake);
  expect(timer.waits).toEqual([]);
});

test("who woke acts before time moves on", async () => {
  const clock = fastClock();
  const seen: number[] = [];
  const first = clock.sleepUntil(2000, awake).then(() => seen.push(clock.now()));
  await Promise.all([first, clock.sleepUntil(3000, awake)]);
  expect(seen).toEqual([2000]);
});

test("an aborted sleep returns and leaves time alone", async () => {
  const timer = handTimer();
  const clock = createReplayClock({ start: 1000, end: 9000, ticksPerSecond: 1, timer });
  await clock.sleepUntil(2000, awake);
  const stopping = new AbortController();
  const sleeping = clock.sleepUntil(3000, stopping.signal);
  await timer.asked();
  stopping.abort();
  await sleeping;
  expect(clock.now()).toBe(2000);
  expect(timer.waiting()).toBe(0);
});

test("a sleep that is aborted from the start returns at once", async () => {
  const clock = fastClock();
  await clock.sleepUntil(2000, AbortSignal.abort());
  expect(clock.now()).toBe(1000);
});

test("a sleep beyond the end lasts until it is aborted, and the clock is finished", async () => {
  const clock = fastClock();
  await clock.sleepUntil(9000, awake);
  expect(clock.finished).toBe(false);

  const stopping = new AbortController();
  let woke = false;
  const sleeping = clock.sleepUntil(9001, stopping.signal).then(() => (woke = true));
  await expect.poll(() => clock.finished).toBe(true);
  await eventLoopTurn();
  expect(woke).toBe(false);
  expect(clock.now()).toBe(9000);
  stopping.abort();
  await sleeping;
});

test("as long as somebody can still wake, the clock is not finished", async () => {
  const clock = fastClock();
  const stopping = new AbortController();
  const beyond = clock.sleepUntil(20_000, stopping.signal);
  await clock.sleepUntil(5000, awake);
  expect(clock.now()).toBe(5000);
  stopping.abort();
  await beyond;
});

function fastClock() {
  return createReplayClock({ start: 1000, end: 9000, ticksPerSecond: null, timer: handTimer() });
}

/** Real time that passes only when told to. */
function handTimer() {
  let elapsed = 0;
  let pending: { at: number; resolve: () => void }[] = [];
  const waits: number[] = [];
  const settle = (due: (one: { at: number }) => boolean): void => {
    const ready = pending.filter(due);
    pending = pending.filter((one) => !due(one));
    for (const one of ready) one.resolve();
  };
  const timer: Timer = {
    elapsed: () => elapsed,
    after: (ms, signal) =>
      new Promise((resolve) => {
        waits.push(ms);
        const one = { at: elapsed + ms, resolve };
        pending.push(one);
        signal?.addEventListener("abort", () => settle((other) => other === one));
      }),
  };
  return {
    ...timer,
    waits,
    waiting: () => pending.length,
    asked: () => expect.poll(() => pending.length).toBe(1),
    pass: (ms: number) => {
      elapsed += ms;
      settle((one) => one.at <= elapsed);
    },
  };
}
