import { parseArgs } from "node:util";

export interface BenchOptions {
  strategies: number[];
  /** Measured ticks per round; null: enough for some seconds. */
  ticks: number | null;
  rounds: number;
  databases: ("postgres" | "pglite")[];
  json: string | null;
  /** Folder for CPU profiles of the whole engine. */
  profile: string | null;
  help: boolean;
}

export const HELP = `Usage: npm run bench -- [options]

Measures durable cycles per second on databases it starts itself: what the database can take, what
one ORM flush per cycle reaches, and what the whole engine does; then boot time and memory.

  --strategies 1000,10000   numbers of strategies, one table each
  --ticks N                 measured ticks per round (default: about 20 000 cycles)
  --rounds N                repetitions of every scenario, in turns (default 5)
  --database postgres|pglite|both   (default postgres)
  --json FILE               also write the results as JSON
  --profile FOLDER          write a CPU profile of the engine's rounds
  --quick                   200 strategies, 2 rounds: does it run at all?
  --help`;

export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      strategies: { type: "string" },
      ticks: { type: "string" },
      rounds: { type: "string" },
      database: { type: "string", default: "postgres" },
      json: { type: "string" },
      profile: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const quick = values.quick;
  return {
    strategies: (values.strategies ?? (quick ? "200" : "1000,10000")).split(",").map(count),
    ticks: values.ticks === undefined ? null : count(values.ticks),
    rounds: values.rounds === undefined ? (quick ? 2 : 5) : count(values.rounds),
    databases: databasesOf(values.database),
    json: values.json ?? null,
    profile: values.profile ?? null,
    help: values.help,
  };
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`expected a positive whole number, was "${text}"`);
}

function databasesOf(name: string): BenchOptions["databases"] {
  if (name === "both") return ["postgres", "pglite"];
  if (name === "postgres" || name === "pglite") return [name];
  throw new Error(`--database: expected postgres, pglite or both, was "${name}"`);
}
