// `npm run bench`: how far the whole engine is from what its database can do, measured in one run.
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { engineBars } from "./bars.ts";
import { startDatabases } from "./databases.ts";
import { measureEngine, type EngineMeasures } from "./engine-measures.ts";
import { HELP, readOptions } from "./options.ts";
import { costsOf, printEngine } from "./report.ts";

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  const { parts } = options;
  const engines: EngineMeasures[] = [];
  for (const kind of options.databases) {
    await using databases = await startDatabases(kind);
    for (const strategies of parts.has("throughput") || parts.has("boot")
      ? options.strategies
      : []) {
      const measures = await measureEngine(databases, { strategies, options });
      printEngine(measures);
      engines.push(measures);
    }
  }
  if (options.json !== null) await writeJson(options.json, engines);
}

async function writeJson(file: string, engines: readonly EngineMeasures[]): Promise<void> {
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
      costs: costsOf(measures.throughput?.rounds ?? []),
      bars: engineBars(measures),
    })),
  };
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
}

await main();
