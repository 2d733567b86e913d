// `npm run bench`: how far the whole engine is from what its database can do, measured in one run.
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { engineBars } from "./bars.ts";
import { startDatabases } from "./databases.ts";
import { measureEngine, type EngineMeasures } from "./engine-measures.ts";
import { measureHistory, type HistoryMeasures } from "./history-measures.ts";
import { historyBars, printHistory } from "./history-report.ts";
import { HELP, readOptions } from "./options.ts";
import { costsOf, printEngine } from "./report.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  const { parts } = options;
  const engines: EngineMeasures[] = [];
  const histories: HistoryMeasures[] = [];
  for (const kind of options.databases) {
    await using databases = await startDatabases(kind);
    for (const strategies of parts.has("throughput") || parts.has("boot")
      ? options.strategies
      : []) {
      const measures = await measureEngine(databases, { strategies, options });
      printEngine(measures);
      engines.push(measures);
    }
    if (parts.has("history") || parts.has("flatness")) {
      const strategies = options.strategies.at(-1) ?? 0;
      const measures = await measureHistory(databases, { strategies, options });
      printHistory(measures);
      histories.push(measures);
    }
  }
  if (options.json !== null) await writeJson(options.json, { engines, histories });
}

async function writeJson(
  file: string,
  { engines, histories }: { engines: EngineMeasures[]; histories: HistoryMeasures[] },
): Promise<void> {
  const [cpu] = cpus();
  const content = {
    machine: {
      cores: cpus().length,
      model: cpu?.model ?? "unknown",
      memoryBytes: totalmem(),
      node: process.version,
    },
    engines: engines.map((measures) => ({
      ...measures,
      costs: costsOf(measures.throughput.flatMap(({ rounds }) => rounds)),
      bars: engineBars(measures),
    })),
    histories: histories.map((measures) => ({ ...measures, bars: historyBars(measures) })),
  };
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
}

await main();
