// `npm run bench:engines`: durable cycles per second of one, two and four engines on one PostgreSQL, and
// what it costs that a shard wanders between them.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pg from "pg";
import { readCpu } from "./cpu.ts";
import { startDatabases, type Databases } from "./databases.ts";
import { type EngineFigures, engineFigures } from "./engine-figures.ts";
import { populate } from "./population.ts";
import { openPlace, START_AT, type Place } from "./stage.ts";
import { median } from "./statistics.ts";

const HELP = `Usage: npm run bench:engines -- [options]

Measures durable cycles per second of several engine processes on one PostgreSQL it starts itself.

  --strategies 1000,10000   numbers of strategies, one table each
  --engines 1,2,4           numbers of engines
  --ticks N                 measured ticks per round (default: about 10 000 cycles)
  --rounds N                repetitions of every scenario, in turns (default 3)
  --json FILE               also write the results as JSON
  --help`;

const CHILD = fileURLToPath(new URL("engine-child.ts", import.meta.url));
const WARM_UP_TICKS = 3;
const CYCLES_PER_ROUND = 10_000;
const DAY_MS = 24 * 60 * 60_000;
const TICK_LIMIT_MS = 300_000;

interface Scenario {
  engines: number;
  /** Every job finds its members gone: what a shard costs that always comes from another engine. */
  forgetful: boolean;
}

interface Round {
  /** Cycles per second from the proposal of each tick to its last commit. */
  perSecond: number;
  tickMs: number[];
  shardJobs: number;
  restores: number;
  restoreMs: number;
  /** Processor time per cycle, µs: of all engines, and of the server. */
  client: number;
  server: number | null;
}

interface Result extends Scenario {
  strategies: number;
  rounds: Round[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      strategies: { type: "string", default: "1000,10000" },
      engines: { type: "string", default: "1,2,4" },
      ticks: { type: "string" },
      rounds: { type: "string", default: "3" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const scenarios = [
    ...values.engines.split(",").map((engines) => ({ engines: count(engines), forgetful: false })),
    { engines: 1, forgetful: true },
  ];
  const results: Result[] = [];
  await using databases = await startDatabases("postgres");
  for (const strategies of values.strategies.split(",").map(count)) {
    const ticks =
      values.ticks === undefined
        ? Math.max(3, Math.ceil(CYCLES_PER_ROUND / strategies))
        : count(values.ticks);
    const rounds = count(values.rounds);
    const measured = await measureAll(databases, { strategies, scenarios, ticks, rounds });
    console.log(tableOf(strategies, measured));
    results.push(...measured);
  }
  if (values.json !== undefined) await writeJson(values.json, results);
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`expected a positive whole number, was "${text}"`);
}

async function measureAll(
  databases: Databases,
  plan: { strategies: number; scenarios: Scenario[]; ticks: number; rounds: number },
): Promise<Result[]> {
  const { strategies, ticks } = plan;
  const seeded = await databases.create(`engines_${strategies}`);
  {
    await using store = await openPlace(seeded);
    await populate(store.services, strategies);
  }
  const results = plan.scenarios.map((scenario): Result => ({
    ...scenario,
    strategies,
    rounds: [],
  }));
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [index, result] of results.entries()) {
      const place = await databases.clone(seeded, `engines_${strategies}_${round}_${index}`);
      const parts = { place, strategies, ticks, postmaster: databases.postmaster };
      result.rounds.push(await runRound(result, parts));
    }
  }
  return results;
}

interface RoundParts {
  place: Place;
  strategies: number;
  ticks: number;
  postmaster: number | null;
}

async function runRound(scenario: Scenario, parts: RoundParts): Promise<Round> {
  const { place, strategies, ticks, postmaster } = parts;
  if (place.kind !== "postgres") throw new Error("expected a database on a server");
  await using cluster = await startCluster(place.url, scenario);
  for (let tick = 0; tick < WARM_UP_TICKS; tick += 1) await cluster.tick();
  await cluster.report();
  const serverBefore = readCpu(postmaster).server;
  const tickMs: number[] = [];
  const reports: EngineFigures[] = [];
  for (let tick = 0; tick < ticks; tick += 1) {
    const proposedAt = performance.timeOrigin + performance.now();
    await cluster.tick();
    const told = await cluster.report();
    reports.push(...told);
    tickMs.push(Math.max(...told.map(({ lastCommitAt }) => lastCommitAt)) - proposedAt);
  }
  const serverAfter = readCpu(postmaster).server;
  const sum = (of: (figures: EngineFigures) => number): number =>
    reports.reduce((total, figures) => total + of(figures), 0);
  const cycles = sum((figures) => figures.cycles);
  if (cycles !== strategies * ticks) {
    throw new Error(`expected ${strategies * ticks} cycles, were ${cycles}`);
  }
  const server = serverBefore === null || serverAfter === null ? null : serverAfter - serverBefore;
  return {
    perSecond: (cycles / tickMs.reduce((total, ms) => total + ms, 0)) * 1000,
    tickMs,
    shardJobs: sum(({ shardJobs }) => shardJobs),
    restores: sum(({ restores }) => restores),
    restoreMs: sum(({ restoreMs }) => restoreMs),
    client: sum(({ cpuMicroseconds }) => cpuMicroseconds) / cycles,
    server: server === null ? null : server / cycles,
  };
}

interface Cluster extends AsyncDisposable {
  /** Lets all engines see the next tick as due; resolves when it is closed. */
  tick(): Promise<void>;
  /** What each engine did since it was last asked. */
  report(): Promise<EngineFigures[]>;
}

async function startCluster(url: string, { engines, forgetful }: Scenario): Promise<Cluster> {
  const resources = new AsyncDisposableStack();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  resources.defer(() => client.end());
  const children = await Promise.all(
    Array.from({ length: engines }, () => startChild({ url, forgetful }, resources)),
  );
  let now = START_AT;
  const closed = async (): Promise<number> => {
    const { rows } = await client.query<{ open: number; closed: number }>(
      `select count(*) filter (where status in ('pending', 'running'))::int as open,
         count(*) filter (where status = 'completed')::int as closed from ticks`,
    );
    return rows[0]?.open === 0 ? rows[0].closed : 0;
  };
  return {
    async tick() {
      const before = await closed();
      const giveUpAt = performance.now() + TICK_LIMIT_MS;
      now += DAY_MS;
      for (const child of children) child.send({ now });
      // Both definitions are due at the same time.
      while ((await closed()) < before + 2) {
        if (performance.now() > giveUpAt) throw new Error("a tick was not closed in five minutes");
        await sleep(5);
      }
    },
    report: () =>
      Promise.all(
        children.map(async (child) => {
          child.send("report");
          const [told] = await once(child, "message");
          return engineFigures.parse(told);
        }),
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function startChild(
  orders: { url: string; forgetful: boolean },
  resources: AsyncDisposableStack,
): Promise<ChildProcess> {
  const execArgv = ["--max-semi-space-size=64"];
  const child = fork(CHILD, [JSON.stringify(orders)], { execArgv });
  const ended = once(child, "exit");
  resources.defer(async () => {
    if (child.connected) child.send("stop");
    await ended;
  });
  await Promise.race([
    once(child, "message"),
    ended.then(() => Promise.reject(new Error("an engine ended before it was ready"))),
  ]);
  return child;
}

function tableOf(strategies: number, results: readonly Result[]): string {
  const table = new Table({
    head: [
      "engines",
      "cycles/s",
      "of one",
      "tick ms",
      "restored",
      "ms each",
      "client µs",
      "server µs",
    ],
    colAligns: ["left", "right", "right", "right", "right", "right", "right", "right"],
    style: { head: [], border: [] },
  });
  const speedOf = ({ rounds }: Result): number => median(rounds.map(({ perSecond }) => perSecond));
  const one = results.find(({ engines, forgetful }) => engines === 1 && !forgetful);
  for (const result of results) {
    const { engines, forgetful, rounds } = result;
    const of = (figure: (round: Round) => number): number => median(rounds.map(figure));
    const restores = of((round) => round.restores);
    table.push([
      forgetful ? `${engines}, restoring always` : String(engines),
      speedOf(result).toFixed(0),
      one === undefined ? "–" : (speedOf(result) / speedOf(one)).toFixed(2),
      median(rounds.flatMap(({ tickMs }) => tickMs)).toFixed(0),
      `${((100 * restores) / of((round) => round.shardJobs)).toFixed(0)} %`,
      restores === 0 ? "–" : (of((round) => round.restoreMs) / restores).toFixed(1),
      of((round) => round.client).toFixed(0),
      of((round) => round.server ?? Number.NaN).toFixed(0),
    ]);
  }
  return `\n${strategies} strategies on postgres, ${cpus().length} cores\n${table.toString()}`;
}

async function writeJson(file: string, results: readonly Result[]): Promise<void> {
  const [cpu] = cpus();
  const machine = { cores: cpus().length, model: cpu?.model ?? "unknown", node: process.version };
  await writeFile(file, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}

await main();
