// `npm run bench:soak`: the engine for simulated weeks without a pause, with a prune beside it. What
// grows that should not, grows here.
import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { Database } from "#persistence/database.ts";
import type { PruneReport } from "#services/retention.ts";
import { violations } from "#support/invariants.ts";
import { startDatabases } from "./databases.ts";
import { tableOf } from "./report.ts";
import { HELP, readOptions, type SoakOptions } from "./soak-options.ts";
import { populateSoak } from "./soak-population.ts";
import { startSampler, type Sampler } from "./soak-sample.ts";
import { type SoakSample, type Verdict, verdictsOf } from "./soak-verdicts.ts";
import { openPlace, setStage, type Stage, START_AT } from "./stage.ts";
import { runTicks } from "./whole-engine.ts";

const MINUTE_MS = 60_000;
const MB = 1_048_576;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(HELP);
  const startedAt = performance.now();
  await using databases = await startDatabases("postgres");
  const place = await databases.create("soak");
  await using store = await openPlace(place);
  await populateSoak(store.services, options);
  const { threads } = options;
  const sampler = startSampler();
  const stage = await setStage(store, {
    place,
    startAt: START_AT,
    keepEveryNth: Infinity,
    threads,
  });
  await stage.engine.start();
  const samples = await soak(paced(stage, options), sampler, options);
  sampler.stop();
  const pruned = await endOfPrune(stage);
  await stage.engine.stop("soaked");
  const broken = options.check ? await brokenInvariants(store.database) : null;

  const verdicts = verdictsOf(samples);
  printSizes(samples);
  printPrune(samples, pruned);
  printVerdicts(verdicts);
  if (broken !== null) console.log(`broken invariants: ${broken.length}`, broken.slice(0, 5));
  const minutes = (performance.now() - startedAt) / MINUTE_MS;
  console.log(`${samples.at(-1)?.cycles} cycles, ${minutes.toFixed(1)} minutes in all`);
  if (options.json !== null) await writeJson(options, { samples, pruned, verdicts, broken });
  const hasPruned = pruned === null || pruned.phase === "done";
  const isSound = verdicts.every(({ isKept }) => isKept) && (broken ?? []).length === 0;
  if (!hasPruned || !isSound) process.exitCode = 1;
}

/** The stage with steps of a period instead of a day. */
function paced(stage: Stage, { period }: SoakOptions): Stage {
  const { clock } = stage;
  const periodMs = period * MINUTE_MS;
  const step = (): void => clock.observe((Math.floor(clock.now() / periodMs) + 1) * periodMs);
  return { ...stage, clock: { ...clock, step } };
}

async function soak(stage: Stage, sampler: Sampler, options: SoakOptions): Promise<SoakSample[]> {
  const { days, keep, period, pruneDay, sampleHours, strategies } = options;
  const ticksPerSample = Math.max(1, Math.round((sampleHours * 60) / period));
  const ticks = Math.round((days * 1_440) / period);
  const { retention } = stage.store.services;
  const samples: SoakSample[] = [];
  let [done, cycles] = [0, 0];
  let isPruneDue = pruneDay !== null;
  while (done < ticks) {
    if (isPruneDue && (done * period) / 1_440 >= (pruneDay ?? 0)) {
      isPruneDue = false;
      await retention.start({ keep, actor: "soak" });
    }
    const before = prunedRows(retention.status());
    const run = await runTicks(stage, {
      ticks: Math.min(ticksPerSample, ticks - done),
      strategies,
    });
    done += run.tickMs.length;
    cycles += run.cycles;
    const pruned = prunedRows(retention.status());
    const sample = {
      day: (done * period) / 1_440,
      cycles,
      perSecond: (run.cycles / run.ms) * 1_000,
      pruning: pruned > before,
      pruned,
      ...(await sampler.ofProcess()),
      ...(await sampler.ofDatabase(stage.store.database)),
    };
    printSample(sample, samples.length === 0);
    samples.push(sample);
  }
  return samples;
}

async function endOfPrune({ store }: Stage): Promise<PruneReport | null> {
  const { retention } = store.services;
  while (["cycles", "ticks", "vacuum"].includes(retention.status()?.phase ?? "done")) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return retention.status();
}

function brokenInvariants(database: Database): Promise<string[]> {
  console.log("looking for broken invariants …");
  const query = async (statement: string, params?: readonly unknown[]) =>
    (await database.sql.rows(statement, params)).map((row) => ({ ...row }));
  // Over millions of rows the server is silent for longer than it may be at ordinary work.
  return database.patiently(() => violations(query, { isThinned: true }));
}

function prunedRows(report: PruneReport | null): number {
  if (report === null) return 0;
  const { agentRuns, cycles, holdings, ticks, views } = report.removed;
  return cycles + views + holdings + (ticks ?? 0) + (agentRuns ?? 0);
}

const COLUMNS: readonly (readonly [string, (sample: SoakSample) => string])[] = [
  ["day", ({ day }) => day.toFixed(2)],
  ["cycles", ({ cycles }) => cycles.toLocaleString("en")],
  ["cycles/s", ({ perSecond }) => perSecond.toFixed(0)],
  ["heap MB", ({ heap }) => megabytes(heap)],
  ["threads MB", ({ threadHeap }) => megabytes(threadHeap)],
  ["RSS MB", ({ rss }) => megabytes(rss)],
  ["loop p99 ms", ({ loopP99 }) => loopP99.toFixed(1)],
  ["handles", ({ resources }) => String(Object.values(resources).reduce((a, b) => a + b, 0))],
  ["conns", ({ connections }) => String(connections)],
  ["jobs", ({ jobs }) => String(jobs)],
  ["DB MB", ({ tables }) => megabytes(sum(tables, "bytes"))],
  ["dead rows", ({ tables }) => sum(tables, "dead").toLocaleString("en")],
  ["pruned rows", ({ pruned, pruning }) => `${pruned.toLocaleString("en")}${pruning ? " *" : ""}`],
];

function printSample(sample: SoakSample, isFirst: boolean): void {
  const cells = COLUMNS.map(([head, cell]) => [head, cell(sample)] as const);
  const width = (head: string): number => Math.max(head.length, 9);
  if (isFirst) console.log(cells.map(([head]) => head.padStart(width(head))).join("  "));
  console.log(cells.map(([head, cell]) => cell.padStart(width(head))).join("  "));
}

function printSizes(samples: readonly SoakSample[]): void {
  const last = samples.at(-1);
  if (last === undefined) return;
  const table = tableOf(["table", "MB", "of it indexes", "rows", "dead"]);
  const sorted = Object.entries(last.tables).toSorted(([, a], [, b]) => b.bytes - a.bytes);
  for (const [name, { bytes, dead, indexBytes, live }] of sorted) {
    const rows = [live, dead].map((count) => count.toLocaleString("en"));
    table.push([name, megabytes(bytes), megabytes(indexBytes), ...rows]);
  }
  console.log(`\nat the end, rows as the server estimates them\n${table.toString()}`);
}

function printPrune(samples: readonly SoakSample[], pruned: PruneReport | null): void {
  if (pruned === null) return;
  const beside = samples.filter(({ pruning }) => pruning);
  const mean = (of: readonly SoakSample[]): string =>
    of.length === 0
      ? "not measured at"
      : (of.reduce((all, { perSecond }) => all + perSecond, 0) / of.length).toFixed(0);
  const rows = prunedRows(pruned);
  console.log(
    `prune: ${pruned.phase}, ${rows.toLocaleString("en")} rows in ${(pruned.elapsedMs / 1_000).toFixed(0)} s, ` +
      `${((rows * 1_000) / pruned.elapsedMs).toFixed(0)} rows/s; engine ${mean(beside)} cycles/s beside it, ` +
      `${mean(samples.filter(({ pruning }) => !pruning))} without`,
    pruned.removed,
    pruned.error ?? "",
  );
}

function printVerdicts(verdicts: readonly Verdict[]): void {
  const table = tableOf(["what", "first third", "last third", "rule", ""]);
  for (const { first, isKept, last, name, rule, unit } of verdicts) {
    const figures = [first, last].map((value) => `${value.toFixed(1)} ${unit}`.trim());
    table.push([name, ...figures, rule, isKept ? "kept" : "BROKEN"]);
  }
  console.log(`\n${table.toString()}`);
}

function sum(tables: SoakSample["tables"], of: "bytes" | "dead"): number {
  return Object.values(tables).reduce((total, table) => total + table[of], 0);
}

function megabytes(bytes: number): string {
  return (bytes / MB).toFixed(1);
}

async function writeJson(options: SoakOptions, result: object): Promise<void> {
  const [cpu] = cpus();
  const machine = {
    cores: cpus().length,
    model: cpu?.model ?? "unknown",
    memoryBytes: totalmem(),
    node: process.version,
  };
  const content = { machine, options, ...result };
  await writeFile(options.json ?? "", `${JSON.stringify(content, null, 2)}\n`);
}

await main();
