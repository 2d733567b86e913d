import { parseArgs } from "node:util";
import { defaultThreads } from "../src/threads.ts";

export interface SoakOptions {
  /** Simulated days. */
  days: number;
  strategies: number;
  /** Minutes between ticks. */
  period: number;
  threads: number;
  /** Simulated hours between samples. */
  sampleHours: number;
  /** The prune begins after so many simulated days; null: none. */
  pruneDay: number | null;
  keep: string;
  /** Ask the database for broken invariants at the end. */
  check: boolean;
  json: string | null;
  help: boolean;
}

export const HELP = `Usage: npm run bench:soak -- [options]

The whole engine without a pause, on a PostgreSQL it starts itself (waiting for the disk), with ticks as
fast as they close. Prices are the recorded daily bars, the finest there are for thirty days on end:
all ticks of a day see the same bar.

  --days 30             simulated days, or parts of one
  --strategies 1000     half follow conviction, half momentum
  --period 10           minutes between ticks
  --threads N           threads for strategies (default: as the product chooses on this machine)
  --sample-hours 24     simulated hours between samples (default: a day, or a twelfth of the run)
  --prune-day N         simulated day on which a prune begins (default: half of the run)
  --keep 7d             what it keeps whole (default: a quarter of the run, at least 1h)
  --no-prune            no prune
  --no-check            do not look for broken invariants at the end
  --json FILE           also write samples and verdicts as JSON
  --help`;

export function readOptions(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      days: { type: "string", default: "30" },
      strategies: { type: "string", default: "1000" },
      period: { type: "string", default: "10" },
      threads: { type: "string" },
      "sample-hours": { type: "string" },
      "prune-day": { type: "string" },
      keep: { type: "string" },
      prune: { type: "boolean", default: true },
      check: { type: "boolean", default: true },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const days = positive("--days", values.days);
  const quarter = `${Math.max(1, Math.floor(days * 6))}h`;
  const sampleHours = Math.min(24, (days * 24) / 12);
  return {
    days,
    strategies: whole("--strategies", values.strategies),
    period: whole("--period", values.period),
    threads: values.threads === undefined ? defaultThreads() : count("--threads", values.threads),
    sampleHours: positive("--sample-hours", values["sample-hours"] ?? String(sampleHours)),
    pruneDay: values.prune
      ? positive("--prune-day", values["prune-day"] ?? String(days / 2))
      : null,
    keep: values.keep ?? quarter,
    check: values.check,
    json: values.json ?? null,
    help: values.help,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`${name}: expected a number above 0, was "${text}"`);
}

function whole(name: string, text: string): number {
  const value = positive(name, text);
  if (Number.isSafeInteger(value)) return value;
  throw new Error(`${name}: expected a whole number, was "${text}"`);
}

function count(name: string, text: string): number {
  return text === "0" ? 0 : whole(name, text);
}
