import { parseArgs } from "node:util";
import { defaultThreads } from "../src/threads.ts";

const PARTS = ["throughput", "boot", "history", "flatness"] as const;

/** What the bench can measure by itself. */
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  parts: ReadonlySet<Part>;
  strategies: number[];
  /** Threads for the strategies, where the database allows any. */
  threads: number;
  /** Measured ticks per round; null: enough for some seconds. */
  ticks: number | null;
  rounds: number;
  /** Stored cycles with which queries and ticks are measured, rising. */
  history: number[];
  /** Calls of each query per history size. */
  samples: number;
  databases: ("postgres" | "pglite")[];
  json: string | null;
  /** Folder for CPU profiles of the whole engine. */
  profile: string | null;
  help: boolean;
}

export const HELP = `Usage: npm run bench -- [options]

Measures on databases it starts itself, PostgreSQL waiting for the disk. Parts:
  throughput  durable cycles per second: what the database can take, what one ORM flush per cycle
              reaches, and what the whole engine does; the event loop's lag; agent runs per tick
  boot        time until the first tick can run, and heap per strategy, idle and after ticks
  history     the API's queries while the number of stored cycles grows
  flatness    one tick's cost while the number of stored cycles grows

  --only PART[,PART]        these parts alone
  --database postgres|pglite|both   (default postgres)
  --strategies 1000,10000   numbers of strategies; history and flatness take the last one
  --threads N               shard threads, measured after one thread for all (default: as the engine)
  --ticks N                 measured ticks per round (default: about 20 000 cycles)
  --rounds N                repetitions of every scenario, in turns (default 5)
  --history 0,100000,1000000        numbers of stored cycles, rising
  --samples N               calls of each query per number of stored cycles (default 200)
  --json FILE               also write the results as JSON
  --profile FOLDER          CPU profiles of the engine's rounds, and what each part of a cycle costs
  --quick                   few strategies, short history, 2 rounds: does it run at all?
  --help`;

export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", default: PARTS.join(",") },
      strategies: { type: "string" },
      threads: { type: "string" },
      ticks: { type: "string" },
      rounds: { type: "string" },
      history: { type: "string" },
      samples: { type: "string" },
      database: { type: "string", default: "postgres" },
      json: { type: "string" },
      profile: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const orQuick = (given: string | undefined, usual: string, quick: string): string =>
    given ?? (values.quick ? quick : usual);
  return {
    parts: new Set(values.only.split(",").map(partOf)),
    strategies: orQuick(values.strategies, "1000,10000", "200").split(",").map(count),
    threads: values.threads === undefined ? defaultThreads() : count(values.threads),
    ticks: values.ticks === undefined ? null : count(values.ticks),
    rounds: count(orQuick(values.rounds, "5", "2")),
    history: rising(orQuick(values.history, "0,100000,1000000", "0,2000,20000")),
    samples: count(orQuick(values.samples, "200", "20")),
    databases: databasesOf(values.database),
    json: values.json ?? null,
    profile: values.profile ?? null,
    help: values.help,
  };
}

function partOf(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (part !== undefined) return part;
  throw new Error(`--only: expected some of ${PARTS.join(", ")}, was "${name}"`);
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`expected a positive whole number, was "${text}"`);
}

function rising(list: string): number[] {
  const values = list.split(",").map(Number);
  const isRising = values.every((value, index) => value > (values[index - 1] ?? -1));
  if (isRising && values.every(Number.isSafeInteger)) return values;
  throw new Error(`--history: expected rising whole numbers, was "${list}"`);
}

function databasesOf(name: string): BenchOptions["databases"] {
  if (name === "both") return ["postgres", "pglite"];
  if (name === "postgres" || name === "pglite") return [name];
  throw new Error(`--database: expected postgres, pglite or both, was "${name}"`);
}
