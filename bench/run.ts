// `npm run bench`: how far the whole engine is from what its database can do, measured in one run.
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { measureBoot, type BootMeasure } from "./boot.ts";
import { startDatabases, type Databases } from "./databases.ts";
import { HELP, readOptions, type BenchOptions } from "./options.ts";
import { populate } from "./population.ts";
import { createCpuProfile } from "./profile.ts";
import { barsOf, printResult, type Result } from "./report.ts";
import { runRounds } from "./rounds.ts";
import { openPlace, setStage, type Place } from "./stage.ts";

/** The recorded days from here on are busy ones: positions are opened and closed. */
const START_AT = Date.UTC(2019, 5, 20);
const CYCLES_PER_ROUND = 20_000;
const SAMPLED_COMMITS_PER_ROUND = 60;
const SHARD_SIZES = { postgres: 100, pglite: 50 } as const;
const BOOTS = 3;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  const results: Result[] = [];
  for (const kind of options.databases) {
    await using databases = await startDatabases(kind);
    for (const strategies of options.strategies) {
      const result = await measure(databases, { kind, strategies, options });
      printResult(result);
      results.push(result);
    }
  }
  if (options.json !== null) await writeJson(options.json, results);
}

async function measure(
  databases: Databases,
  { kind, strategies, options }: { kind: Place["kind"]; strategies: number; options: BenchOptions },
): Promise<Result> {
  const place = await databases.create(`engine_${strategies}`);
  {
    await using store = await openPlace(place);
    await populate(store.services, strategies);
  }
  await using copy = await databases.copy(place, `copy_${strategies}`);
  const ticks = options.ticks ?? Math.max(2, Math.ceil(CYCLES_PER_ROUND / strategies));
  const commits = ticks * Math.ceil(strategies / SHARD_SIZES[kind]);
  const keepEveryNth = Math.max(1, Math.floor(commits / SAMPLED_COMMITS_PER_ROUND));
  const measured = await measureRounds();
  const boots: BootMeasure[] = [];
  for (let boot = 0; boot < BOOTS; boot += 1) {
    boots.push(await measureBoot(place, measured.stoppedAt));
  }
  return { database: kind, strategies, boots, ...measured };

  async function measureRounds() {
    await using store = await openPlace(place);
    const stage = await setStage(store, { place, startAt: START_AT, keepEveryNth });
    const profile = options.profile === null ? null : await createCpuProfile(options.profile);
    await stage.engine.start();
    const { postmaster } = databases;
    const parts = { stage, strategies, ticks, copy, postmaster, profile };
    const rounds = await runRounds(parts, options.rounds);
    const stoppedAt = stage.clock.now();
    await stage.engine.stop("measured");
    return { rounds, stoppedAt, agentRunsPerTick: perTick(stage.agentRuns, stage.clock.steps) };
  }
}

function perTick(runs: ReadonlyMap<string, number>, ticks: number): Record<string, number> {
  return Object.fromEntries([...runs].map(([agent, count]) => [agent, count / ticks]));
}

async function writeJson(file: string, results: readonly Result[]): Promise<void> {
  const [cpu] = cpus();
  const content = {
    machine: { cores: cpus().length, model: cpu?.model ?? "unknown", node: process.version },
    results: results.map((result) => ({ ...result, bars: barsOf(result) })),
  };
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
}

await main();
