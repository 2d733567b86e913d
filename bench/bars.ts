import type { Left } from "./boot.ts";
import type { EngineMeasures, Throughput } from "./engine-measures.ts";
import type { Round, Sample } from "./rounds.ts";
import { median } from "./statistics.ts";

/** One figure the design names, and whether this run kept it. */
export interface Bar {
  name: string;
  value: number;
  unit: string;
  /** Null where the design names none. */
  goal: string | null;
  isMet: boolean | null;
}

type Scenario = "raw" | "rawPerCycle" | "flush" | "engine";

export function perSecond({ cycles, ms }: Sample): number {
  return (cycles / ms) * 1000;
}

/** Median over the rounds of how many times faster one scenario was than another. */
export function ratio(rounds: readonly Round[], scenario: Scenario, to: Scenario): number {
  return median(rounds.map((round) => perSecond(round[scenario]) / perSecond(round[to])));
}

export function engineBars({ throughput, boots, strategies }: EngineMeasures): Bar[] {
  const bars = throughput.flatMap((measured) => throughputBars(measured, strategies));
  if (boots.length === 0) return bars;
  const bootAfter = (how: Left): number => {
    const like = boots.filter(({ after }) => after === how);
    return median(like.map(({ bootMs, readMs }) => bootMs - readMs)) / 1000;
  };
  const idle = median(boots.map(({ heapBytes, strategies: of }) => heapBytes / of)) / 1024;
  const steady = boots.flatMap(({ steadyHeapBytes: bytes, strategies: of }) =>
    bytes === null ? [] : [bytes / of / 1024],
  );
  return [
    ...bars,
    atMost(2, {
      name: "boot beyond the read, after a crash",
      value: bootAfter("crash"),
      unit: "s",
    }),
    atMost(2, { name: "… after a stop, resuming all", value: bootAfter("stop"), unit: "s" }),
    atMost(12, { name: "heap per idle strategy", value: idle, unit: "KB" }),
    told({ name: "heap per strategy after ticks", value: median(steady), unit: "KB" }),
  ];
}

function throughputBars(
  { rounds, agentRunsPerTick, threads }: Throughput,
  strategies: number,
): Bar[] {
  const bars = barsOfRounds(rounds, agentRunsPerTick, strategies);
  return bars.map((bar) => ({ ...bar, name: `${bar.name}, ${placeOf(threads)}` }));
}

/** Where the strategies were. */
export function placeOf(threads: number): string {
  if (threads === 0) return "one thread";
  return threads === 1 ? "a shard thread" : `${threads} shard threads`;
}

function barsOfRounds(
  rounds: readonly Round[],
  agentRunsPerTick: Readonly<Record<string, number>>,
  strategies: number,
): Bar[] {
  const tick = median(rounds.flatMap(({ tickMs }) => tickMs)) / 1000;
  const runs = Math.max(...Object.values(agentRunsPerTick));
  const lag = (of: "p99" | "max"): number => median(rounds.map((round) => round.lag[of]));
  return [
    atLeast(0.5, { name: "engine / raw limit", value: ratio(rounds, "engine", "raw"), unit: "" }),
    atLeast(5, { name: "engine / ORM flush", value: ratio(rounds, "engine", "flush"), unit: "" }),
    atMost(3, { name: `one tick of ${strategies}, last commit after`, value: tick, unit: "s" }),
    told({ name: "event loop lag in ticks, p99", value: lag("p99"), unit: "ms" }),
    told({ name: "event loop lag in ticks, longest", value: lag("max"), unit: "ms" }),
    {
      name: "runs of an agent per tick",
      value: runs,
      unit: "",
      goal: "1",
      isMet: runs === 1,
    },
  ];
}

type Figure = Pick<Bar, "name" | "value" | "unit">;

export function atMost(goal: number, figure: Figure): Bar {
  const text = `≤ ${goal} ${figure.unit}`.trim();
  return { ...figure, goal: text, isMet: figure.value <= goal };
}

function atLeast(goal: number, figure: Figure): Bar {
  return { ...figure, goal: `≥ ${goal}`, isMet: figure.value >= goal };
}

export function told(figure: Figure): Bar {
  return { ...figure, goal: null, isMet: null };
}
