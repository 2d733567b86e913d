import { describe, expect, test } from "vitest";
import { systemTimer } from "#adapters/system-timer.ts";
import { withinTime } from "#engine/time-limit.ts";

const timer = systemTimer;
const never = new Promise<string>(() => undefined);
const late = (): never => {
  throw new Error("too late");
};

describe("work within time", () => {
  test("is what it comes to, and its timer ends with it", async () => {
    let ended = false;
    const watched = {
      ...timer,
      after: async (ms: number, signal?: AbortSignal) => {
        await timer.after(ms, signal);
        ended = signal?.aborted ?? false;
      },
    };
    const work = Promise.resolve("done");
    expect(await withinTime(work, { ms: 60_000, timer: watched, expired: late })).toBe("done");
    await expect.poll(() => ended).toBe(true);
  });

  test("that takes longer is what stands for it", async () => {
    expect(await withinTime(never, { ms: 1, timer, expired: () => "nothing" })).toBe("nothing");
    await expect(withinTime(never, { ms: 1, timer, expired: late })).rejects.toThrow("too late");
  });

  test("fails of what it fails of", async () => {
    const work = Promise.reject(new Error("broken"));
    await expect(withinTime(work, { ms: 60_000, timer, expired: late })).rejects.toThrow("broken");
  });

  test("ends with the reason of an abort, before or after it began", async () => {
    const stopping = new AbortController();
    const waiting = withinTime(never, { signal: stopping.signal });
    stopping.abort(new Error("the node closes"));
    await expect(waiting).rejects.toThrow("the node closes");
    await expect(withinTime(never, { signal: stopping.signal })).rejects.toThrow("the node closes");
  });
});
