import type { DatabaseSample, ProcessSample } from "./soak-sample.ts";
import { median } from "./statistics.ts";

/** One look, and what was done since the one before. */
export interface SoakSample extends ProcessSample, DatabaseSample {
  /** Simulated days since the start. */
  day: number;
  /** Stored so far, whatever a prune removed. */
  cycles: number;
  perSecond: number;
  /** A prune was under way. */
  pruning: boolean;
  /** Rows it had removed. */
  pruned: number;
}

export interface Verdict {
  name: string;
  rule: string;
  first: number;
  last: number;
  unit: string;
  isKept: boolean;
}

const MB = 1_048_576;
/** Below this a table's size is pages begun rather than rows. */
const LEAST_BYTES = 10 * MB;
/** Tables that a cycle adds to, and nothing else but a prune takes from. */
const GROWING = [
  "strategy_compose_cycles",
  "strategy_portfolio_views",
  "strategy_holdings",
  "strategy_instructions",
  "strategy_details",
];
/** Tables that a cycle only rewrites. */
const REWRITTEN = ["strategies", "actor_snapshots", "shards", "job_common"];

/** The first and the last third of the samples are compared; in between things may settle. */
export function verdictsOf(samples: readonly SoakSample[]): Verdict[] {
  return [
    flat(samples, {
      name: "heap after collection",
      of: ({ heap }) => heap / MB,
      unit: "MB",
      factor: 1.1,
      slack: 5,
    }),
    lowest(samples, {
      name: "heap of threads, lowest",
      of: ({ threadHeap }) => threadHeap / MB,
      unit: "MB",
      factor: 1.25,
      slack: 20,
    }),
    flat(samples, { name: "RSS", of: ({ rss }) => rss / MB, unit: "MB", factor: 1.2, slack: 50 }),
    flat(samples, { name: "handles", of: handlesOf, unit: "", factor: 1.1, slack: 5 }),
    flat(samples, {
      name: "connections",
      of: ({ connections }) => connections,
      unit: "",
      // A prune takes two for as long as it runs, and pools let go of idle ones late.
      factor: 1,
      slack: 4,
    }),
    flat(samples, {
      name: "queue rows",
      of: ({ jobs }) => jobs,
      unit: "",
      factor: 1.5,
      slack: 500,
    }),
    steady(samples),
    ...REWRITTEN.filter((table) => samples.some(({ tables }) => table in tables)).map((table) =>
      flat(samples, {
        name: `size of ${table}`,
        of: ({ tables }) => (tables[table]?.bytes ?? 0) / MB,
        unit: "MB",
        factor: 1.5,
        slack: 2,
      }),
    ),
    ...GROWING.flatMap((table) => predicted(samples, table)),
  ];
}

interface Figure {
  name: string;
  of(sample: SoakSample): number;
  unit: string;
  factor: number;
  slack: number;
}

function flat(samples: readonly SoakSample[], figure: Figure): Verdict {
  const { first, last } = thirdsOf(samples.map((sample) => figure.of(sample)));
  return atMost({ ...figure, what: "median", first: median(first), last: median(last) });
}

function lowest(samples: readonly SoakSample[], figure: Figure): Verdict {
  const { first, last } = thirdsOf(samples.map((sample) => figure.of(sample)));
  return atMost({ ...figure, what: "lowest", first: Math.min(...first), last: Math.min(...last) });
}

function atMost(figure: Omit<Figure, "of"> & { what: string; first: number; last: number }) {
  const { factor, first, last, name, slack, unit, what } = figure;
  const rule =
    `${what} of the last third ≤ ${factor} × that of the first + ${slack} ${unit}`.trim();
  return { name, rule, first, last, unit, isKept: last <= factor * first + slack };
}

/** Without the samples beside a prune, which is meant to cost something. */
function steady(samples: readonly SoakSample[]): Verdict {
  const rates = samples.filter(({ pruning }) => !pruning).map(({ perSecond }) => perSecond);
  const { first, last } = thirdsOf(rates);
  return {
    name: "cycles per second",
    rule: "median of the last third ≥ 0.85 × that of the first",
    first: median(first),
    last: median(last),
    unit: "",
    isKept: median(last) >= 0.85 * median(first),
  };
}

/** Bytes per cycle up to the prune; a table whose rows get dearer would not be as predicted. */
function predicted(samples: readonly SoakSample[], table: string): Verdict[] {
  const until = samples.findIndex(({ pruning }) => pruning);
  const whole = until === -1 ? samples : samples.slice(0, until);
  const reference = whole[Math.floor(whole.length / 3)];
  const end = whole.at(-1);
  const [from, to] = [reference?.tables[table], end?.tables[table]];
  if (reference === undefined || end === undefined || from === undefined || to === undefined) {
    return [];
  }
  if (from.bytes < LEAST_BYTES || reference === end || from.live === 0) return [];
  // From rows, not from cycles: how often strategies trade is the market's business.
  const expected = (from.bytes / from.live) * to.live;
  return [
    {
      name: `size of ${table}`,
      rule: "before a prune: bytes per row at a third of the way × rows, within 15 %",
      first: expected / MB,
      last: to.bytes / MB,
      unit: "MB",
      isKept: Math.abs(to.bytes - expected) <= 0.15 * expected,
    },
  ];
}

function handlesOf({ resources }: SoakSample): number {
  return Object.values(resources).reduce((sum, count) => sum + count, 0);
}

function thirdsOf(values: readonly number[]): { first: number[]; last: number[] } {
  const third = Math.max(1, Math.floor(values.length / 3));
  return { first: values.slice(0, third), last: values.slice(-third) };
}
