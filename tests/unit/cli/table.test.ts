import { describe, expect, test } from "vitest";
import { LiveStore, type LiveStrategy } from "#engine/live/live-store.ts";
import { createEngineMonitor } from "#services/engine-monitor.ts";
import { age, instant, money, percent, price, plural, returnOf } from "../../../src/cli/format.ts";
import { grid, type Column } from "../../../src/cli/grid.ts";
import { overviewOf } from "../../../src/cli/overview.ts";
import { tableView } from "../../../src/cli/table-view.ts";

const paint = (_style: unknown, text: string): string => text;
const around = {
  database: "pglite",
  url: "http://127.0.0.1:7420",
  pid: 4711,
  logFile: "troupe.log",
} as const;

describe("the living table", () => {
  test("with room for all, strategies keep their places by template and name", () => {
    const { rows, hidden } = overviewOf(monitorOf(["b", "a", "c"]), names, 10);
    expect(rows.map(({ name }) => name)).toEqual(["Name of a", "Name of b", "Name of c"]);
    expect(hidden).toBe(0);
  });

  test("without, the best are shown and the totals count everybody", () => {
    const overview = overviewOf(monitorOf(["a", "b", "c"], { b: "12000" }), names, 1);
    expect(overview.rows.map(({ name }) => name)).toEqual(["Name of b"]);
    expect(overview.hidden).toBe(2);
    expect(overview.totals).toEqual({ equity: "32000", pnl: "2000" });
    expect(view(overview)).toContain("… and 2 more strategies");
  });

  test("no line is longer than the terminal is wide", () => {
    const overview = overviewOf(monitorOf(["a", "b"]), names, 10);
    for (const width of [120, 80, 60, 40]) {
      const lines = view(overview, width).split("\n");
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  });

  test("notices stand in one line below the totals", () => {
    const overview = overviewOf(monitorOf(["a"]), names, 10);
    const text = view({ ...overview, notices: ["one waits", "two waits"] });
    expect(text.split("\n")).toContain("one waits; two waits");
  });

  test("it says when the replay is finished, and warns of power cuts", () => {
    const text = view(overviewOf(monitorOf(["a"], {}, true), names, 10));
    expect(text).toContain("all recorded candles are played");
    expect(text).toContain("a power cut may lose the last seconds");
  });
});

describe("the monitor", () => {
  test("templates in use that wait for their bars are said, others are not", () => {
    const template = { id: "d", name: "quick", periodMinutes: 10, symbols: ["BTC/USDT"] };
    const unused = { ...template, id: "e" };
    const daily = { ...template, periodMinutes: 1_440 };
    const monitor = monitorOf(["a"]);
    expect(monitor.notices([template, unused, daily])).toEqual([
      "quick ticks every 10 min and its bars come every 1 d: it waits for each and decides once per bar",
    ]);
    expect(monitor.dataFit(template)).toEqual({ barMinutes: 1_440, waitsForBars: true });
    expect(monitor.dataFit(daily)).toEqual({ barMinutes: 1_440, waitsForBars: false });
  });

  test("what a start restores is counted, but not as work of this node", () => {
    const live = new LiveStore();
    const monitor = monitorOver(live);
    live.committed([strategy("a", "10000", 40), strategy("b", "10000", 40)]);
    monitor.started({ shards: 1, restored: 2, resumed: 0, openTicks: 0, durationMs: 1 });
    expect(monitor.progress()).toMatchObject({ cycles: 80, ticks: 0, cyclesPerSecond: 0 });
    live.committed([strategy("a", "10000", 41)]);
    live.committed([strategy("b", "10000", 41)]);
    expect(monitor.progress()).toMatchObject({ cycles: 82, ticks: 1, cyclesPerSecond: 2 });
  });
});

describe("a grid", () => {
  const columns: readonly Column<{ name: string }>[] = [
    { head: "NAME", cell: ({ name }) => name, elastic: true },
    { head: "A", cell: () => "first to go", dispensable: 2 },
    { head: "B", cell: () => "stays" },
  ];

  test("where it is too narrow it leaves out the most dispensable, then shortens", () => {
    expect(grid([{ name: "short" }], columns, { paint, width: 60 })).toContain("first to go");
    expect(grid([{ name: "short" }], columns, { paint, width: 20 })).not.toContain("first to go");
    const squeezed = grid([{ name: "a very long name indeed" }], columns, { paint, width: 20 });
    expect(squeezed).toContain("…");
    expect(squeezed).toContain("stays");
  });

  test("Chinese names take the width they have", () => {
    const text = grid([{ name: "多智能体策略组合" }], columns, { paint, width: 25 });
    expect(text).not.toContain("first to go");
    expect(text).toContain("多智能体策略组合");
  });

  test("a name cannot steer the terminal", () => {
    const text = grid([{ name: "evil\u001B[2J\u0007\nname" }], columns, { paint });
    expect(text).toContain("evil  name");
    expect(text).not.toContain("\u001B");
  });
});

test("numbers are written for people", () => {
  expect(money("1234567.891")).toBe("1,234,567.89");
  expect(money("-0.004")).toBe("0.00");
  expect(["43210.5", "1234567.891", "0.0000119"].map(price)).toEqual([
    "43,210.5",
    "1,234,567.89",
    "0.0000119",
  ]);
  expect([0.01234, -0.00001, null].map(percent)).toEqual(["+1.23 %", "0.00 %", "-"]);
  expect(returnOf("11000", "1000")).toBe(0.1);
  expect(returnOf("0", "0")).toBeNull();
  expect([0, 59_000, 3 * 86_400_000].map(age)).toEqual(["now", "59 s", "3 d"]);
  expect(instant(Date.UTC(2018, 2, 4))).toBe("2018-03-04");
  expect(instant(Date.UTC(2018, 2, 4, 9, 30))).toBe("2018-03-04 09:30");
  expect([plural(1, "strategy"), plural(1_200, "strategy")]).toEqual([
    "1 strategy",
    "1,200 strategies",
  ]);
});

const names = {
  strategy: (id: string) => `Name of ${id}`,
  definition: () => "template",
};

function view(overview: Parameters<typeof tableView>[0], width = 100): string {
  return tableView(overview, around, { width, paint });
}

function monitorOf(ids: string[], equity: Record<string, string> = {}, finished = false) {
  const live = new LiveStore();
  const monitor = monitorOver(live, finished);
  live.committed(ids.map((id) => strategy(id, equity[id] ?? "10000", 3)));
  return monitor;
}

function monitorOver(live: LiveStore, finished = false) {
  const clock = {
    simulated: true,
    finished,
    now: () => 1_000,
    sleepUntil: () => Promise.resolve(),
    observe: () => undefined,
  };
  const feed = {
    name: "replay",
    range: { from: 0, to: 2_000 },
    symbols: ["BTC/USDT"],
    stepMs: () => 86_400_000,
  };
  return createEngineMonitor({ live, clock, feed, groups: () => [], elapsed: () => 0 });
}

function strategy(strategyId: string, totalValue: string, cycleIndex: number): LiveStrategy {
  return {
    strategyId,
    shardId: "00000000-0000-4000-8000-000000000003",
    definitionId: "d",
    state: "running",
    stopReason: null,
    seq: cycleIndex,
    cycleIndex,
    lastCycleAt: cycleIndex,
    lastStatus: "completed",
    lastSignal: "HOLD",
    inProgress: null,
    totalValue,
    cash: totalValue,
    realizedPnl: String(Number(totalValue) - 10_000),
    unrealizedPnl: "0",
  };
}
