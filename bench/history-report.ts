import { atMost, told, type Bar } from "./bars.ts";
import type { HistoryMeasures, TickCost } from "./history-measures.ts";
import { printBars, tableOf } from "./report.ts";
import { median } from "./statistics.ts";

/** What noise may make of equal figures. */
const FLAT = 1.2;
const LIST_MS = 20;

export function historyBars({ reads, sizes, ticks }: HistoryMeasures): Bar[] {
  const lists = reads.filter(({ isList }) => isList);
  const slowest = Math.max(...lists.flatMap(({ times }) => times.map((time) => time?.p99 ?? 0)));
  const last = sizes.length - 1;
  const bars: Bar[] = [];
  if (lists.length > 0) {
    const growths = lists.map(({ times }) => growthOf(times.map((time) => time?.p50 ?? null)));
    bars.push(
      atMost(LIST_MS, { name: "slowest strategies.list, p99", value: slowest, unit: "ms" }),
      told({ name: "… longest history / shortest, median", value: median(growths), unit: "" }),
      told({ name: "… the same, worst list", value: Math.max(...growths), unit: "" }),
    );
  }
  if (ticks.length > 0) {
    const growths = ticks.map((costs) => (costs[last]?.ms ?? 0) / (costs[0]?.ms ?? Number.NaN));
    const name = "one tick, longest history / shortest";
    bars.push(atMost(FLAT, { name, value: median(growths), unit: "" }));
  }
  return bars;
}

export function printHistory(measures: HistoryMeasures): void {
  const { database, strategies, sizes, reads, ticks } = measures;
  console.log(`\n${strategies} strategies with a past on ${database}`);
  const names = sizes.map(({ cycles }) => `${cycles} cycles`);
  const table = tableOf(["", ...names, "last / first"]);
  const gigabytes = sizes.map(({ bytes }) => `${(bytes / 1024 ** 3).toFixed(2)} GB`);
  table.push(["database", ...gigabytes, ""]);
  for (const { name, times } of reads) {
    const cells = times.map((time) => (time === null ? "–" : ms(time.p50, time.p99)));
    table.push([name, ...cells, growthOf(times.map((time) => time?.p50 ?? null)).toFixed(2)]);
  }
  for (const [name, values, digits] of ticks.length > 0 ? tickRows(measures) : []) {
    if (values.some(Number.isNaN)) continue;
    const cells = values.map((value) => value.toFixed(digits));
    table.push([name, ...cells, growthOf(values).toFixed(2)]);
  }
  console.log(table.toString());
  if (reads.length > 0) console.log("Queries: p50 / p99 in ms.");
  printBars(historyBars(measures));
}

function ms(p50: number, p99: number): string {
  return `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
}

/** Name, values by size, digits; NaN where a server's time cannot be seen. */
function tickRows({ sizes, ticks }: HistoryMeasures): [string, number[], number][] {
  const costs = (of: (cost: TickCost) => number): number[] =>
    sizes.map((_, size) => median(ticks.flatMap((round) => round[size] ?? []).map(of)));
  return [
    ["one tick, s", costs(({ ms }) => ms / 1000), 2],
    ["client, µs per cycle", costs(({ cpu, cycles }) => cpu.client / cycles), 0],
    ["server, µs per cycle", costs(({ cpu, cycles }) => (cpu.server ?? Number.NaN) / cycles), 0],
  ];
}

/** The last of what was measured to the first. */
function growthOf(values: readonly (number | null)[]): number {
  const measured = values.filter((value) => value !== null);
  return (measured.at(-1) ?? Number.NaN) / (measured[0] ?? Number.NaN);
}
