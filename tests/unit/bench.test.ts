import type { Profiler } from "node:inspector";
import { expect, test } from "vitest";
import { breakdownOf } from "../../bench/breakdown.ts";
import { readOptions } from "../../bench/options.ts";
import { median, percentile } from "../../bench/statistics.ts";

const root = new URL("../..", import.meta.url).href;

const node = (id: number, functionName: string, rest: { url?: string; children?: number[] }) => ({
  id,
  callFrame: { functionName, scriptId: "1", url: rest.url ?? "", lineNumber: 0, columnNumber: 0 },
  children: rest.children ?? [],
});

test("nameless code is on the account of the nearest caller that is known, idle time on none", () => {
  const profile: Profiler.Profile = {
    nodes: [
      node(1, "(root)", { children: [2, 5, 6, 7] }),
      node(2, "params", { url: `${root}src/persistence/batch.ts`, children: [3, 8] }),
      node(3, "stringify", { children: [4] }),
      node(4, "derive", { url: `${root}src/domain/ids.ts` }),
      node(5, "(idle)", {}),
      node(6, "(garbage collector)", {}),
      node(7, "onStreamRead", { url: "node:internal/stream_base_commons" }),
      node(8, "query", { url: "file:///somewhere/node_modules/pg/lib/client.js" }),
    ],
    startTime: 0,
    endTime: 100,
    samples: [2, 3, 4, 5, 6, 7, 8, 3],
    timeDeltas: [1, 2, 4, 8, 16, 32, 64, 128],
  };
  expect(breakdownOf(profile)).toEqual({
    "SQL build": 1 + 2 + 128,
    ids: 4,
    "garbage collection": 16,
    "wire, driver": 32 + 64,
  });
});

test("the bench measures every part unless it is told which", () => {
  expect([...readOptions([]).parts]).toEqual(["throughput", "boot", "history", "flatness"]);
  expect([...readOptions(["--only", "boot,history"]).parts]).toEqual(["boot", "history"]);
  expect(() => readOptions(["--only", "everything"])).toThrow(/^--only: expected some of/);
});

test("lengths of history rise", () => {
  expect(readOptions(["--history", "0,10,200"]).history).toEqual([0, 10, 200]);
  expect(() => readOptions(["--history", "10,10"])).toThrow(/^--history: expected rising/);
});

test("a percentile is one of the measured values, a median the middle", () => {
  const values = [40, 10, 30, 20, 50];
  expect([50, 99, 100].map((percent) => percentile(values, percent))).toEqual([30, 50, 50]);
  expect([median(values), median([40, 10, 30, 20])]).toEqual([30, 25]);
});
