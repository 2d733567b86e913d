import Table from "cli-table3";
import { engineBars, perSecond, placeOf, ratio, type Bar } from "./bars.ts";
import type { EngineMeasures } from "./engine-measures.ts";
import type { Round } from "./rounds.ts";
import { median } from "./statistics.ts";

const NAMES = {
  raw: "raw limit: journal's statements, bare driver",
  rawPerCycle: "raw, one transaction per cycle",
  flush: "one ORM flush per cycle",
  engine: "whole engine",
};

export function printEngine(measures: EngineMeasures): void {
  const { database, strategies, throughput } = measures;
  console.log(`\n${strategies} strategies on ${database}`);
  for (const { rounds, threads } of throughput) {
    const rows = median(rounds.map((round) => round.rows / round.engine.cycles));
    const counted = rows > 0 ? `, ${rows.toFixed(1)} rows per cycle` : "";
    console.log(`strategies in ${placeOf(threads)}${counted}`);
    console.log(throughputTable(rounds).toString());
    const costs = costsOf(rounds);
    if (costs.length > 0) console.log(breakdownTable(costs).toString());
  }
  printBars(engineBars(measures));
}

export function printBars(bars: readonly Bar[]): void {
  const table = tableOf(["bar", "measured", "goal", ""]);
  for (const { name, value, unit, goal, isMet } of bars) {
    const verdict = isMet === null ? "" : isMet ? "pass" : "MISS";
    table.push([name, `${value.toFixed(2)} ${unit}`.trim(), goal ?? "", verdict]);
  }
  console.log(table.toString());
}

/** Left-aligned first column, the others to the right. */
export function tableOf(head: string[]): Table.Table {
  const colAligns = head.map((_, index) => (index === 0 ? "left" : "right"));
  const chars = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };
  return new Table({ head, colAligns, chars, style: { head: [], border: [] } });
}

/** What each part of a cycle costs the engine's process, µs, dearest first; empty without profiles. */
export function costsOf(rounds: readonly Round[]): { part: string; us: number }[] {
  const profiled = rounds.flatMap(({ breakdown, engine }) =>
    breakdown === null ? [] : [{ breakdown, cycles: engine.cycles }],
  );
  const parts = new Set(profiled.flatMap(({ breakdown }) => Object.keys(breakdown)));
  return [...parts]
    .map((part) => ({
      part,
      us: median(profiled.map(({ breakdown, cycles }) => (breakdown[part] ?? 0) / cycles)),
    }))
    .toSorted((a, b) => b.us - a.us);
}

function throughputTable(rounds: readonly Round[]): Table.Table {
  const table = tableOf(["scenario", "cycles/s", "of raw", "of flush", "client µs", "server µs"]);
  for (const scenario of ["raw", "rawPerCycle", "flush", "engine"] as const) {
    const samples = rounds.map((round) => round[scenario]);
    const cpu = (side: "client" | "server"): string => {
      const values = samples.map(({ cpu, cycles }) => (cpu[side] ?? Number.NaN) / cycles);
      return Number.isNaN(median(values)) ? "–" : median(values).toFixed(0);
    };
    table.push([
      NAMES[scenario],
      median(samples.map(perSecond)).toFixed(0),
      ratio(rounds, scenario, "raw").toFixed(2),
      ratio(rounds, scenario, "flush").toFixed(2),
      cpu("client"),
      cpu("server"),
    ]);
  }
  return table;
}

function breakdownTable(costs: readonly { part: string; us: number }[]): Table.Table {
  const table = tableOf(["part of a cycle", "µs", "%"]);
  const sum = costs.reduce((total, { us }) => total + us, 0);
  for (const { part, us } of costs) {
    table.push([part, us.toFixed(1), ((us / sum) * 100).toFixed(0)]);
  }
  table.push(["all", sum.toFixed(1), ""]);
  return table;
}
