import Table from "cli-table3";
import type { BootMeasure } from "./boot.ts";
import type { Round, Sample } from "./rounds.ts";
import { median } from "./statistics.ts";

export interface Result {
  database: "postgres" | "pglite";
  strategies: number;
  rounds: Round[];
  boots: BootMeasure[];
  /** Agent runs per tick, by agent. */
  agentRunsPerTick: Record<string, number>;
}

interface Bar {
  name: string;
  value: number;
  unit: string;
  goal: string;
  isMet: boolean;
}

type Scenario = "raw" | "rawPerCycle" | "flush" | "engine";

const NAMES: Readonly<Record<Scenario, string>> = {
  raw: "raw limit: journal's statements, bare driver",
  rawPerCycle: "raw, one transaction per cycle",
  flush: "one ORM flush per cycle",
  engine: "whole engine",
};

export function perSecond({ cycles, ms }: Sample): number {
  return (cycles / ms) * 1000;
}

/** Median over the rounds of how many times faster one scenario was than another. */
export function ratio(rounds: readonly Round[], scenario: Scenario, to: Scenario): number {
  return median(rounds.map((round) => perSecond(round[scenario]) / perSecond(round[to])));
}

/** What the design promises, and whether this run kept it. */
export function barsOf({ rounds, boots, agentRunsPerTick, strategies }: Result): Bar[] {
  const tick = median(rounds.flatMap(({ tickMs }) => tickMs)) / 1000;
  const boot = median(boots.map(({ bootMs, readMs }) => bootMs - readMs)) / 1000;
  const heap =
    median(boots.map(({ heapBytes, strategies: restored }) => heapBytes / restored)) / 1024;
  const runs = Math.max(...Object.values(agentRunsPerTick));
  const toRaw = ratio(rounds, "engine", "raw");
  const toFlush = ratio(rounds, "engine", "flush");
  return [
    { name: "engine / raw limit", value: toRaw, unit: "", goal: "≥ 0.5", isMet: toRaw >= 0.5 },
    { name: "engine / ORM flush", value: toFlush, unit: "", goal: "≥ 5", isMet: toFlush >= 5 },
    {
      name: `one tick of ${strategies}, last commit after`,
      value: tick,
      unit: "s",
      goal: "≤ 3 s",
      isMet: tick <= 3,
    },
    { name: "boot beyond the read", value: boot, unit: "s", goal: "≤ 2 s", isMet: boot <= 2 },
    { name: "heap per idle strategy", value: heap, unit: "KB", goal: "≤ 12 KB", isMet: heap <= 12 },
    { name: "runs of an agent per tick", value: runs, unit: "", goal: "1", isMet: runs === 1 },
  ];
}

export function printResult(result: Result): void {
  const { database, rounds, strategies } = result;
  const rows = median(rounds.map((round) => round.rows / round.engine.cycles));
  console.log(`\n${strategies} strategies on ${database}, ${rows.toFixed(1)} rows per cycle`);
  console.log(throughput(rounds).toString());
  console.log(bars(result).toString());
}

function throughput(rounds: readonly Round[]): Table.Table {
  const table = new Table({
    head: ["scenario", "cycles/s", "of raw", "of flush", "client µs", "server µs"],
    colAligns: ["left", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
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

function bars(result: Result): Table.Table {
  const table = new Table({
    head: ["bar", "measured", "goal", ""],
    style: { head: [], border: [] },
  });
  for (const { name, value, unit, goal, isMet } of barsOf(result)) {
    table.push([name, `${value.toFixed(2)} ${unit}`.trim(), goal, isMet ? "pass" : "MISS"]);
  }
  return table;
}
