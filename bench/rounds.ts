// One number of strategies on one database: every scenario in turns, round by round, so that whatever
// else the machine does hits all of them alike.
import type { Database } from "#persistence/database.ts";
import { breakdownOf, type Breakdown } from "./breakdown.ts";
import { cpuSince, readCpu, type CpuTime } from "./cpu.ts";
import type { Forge } from "./forge.ts";
import { watchLoop, type LoopLag } from "./loop-lag.ts";
import { flushCycles } from "./orm-flush.ts";
import type { CpuProfile } from "./profile.ts";
import { writeRaw, type RawConnection } from "./raw-writes.ts";
import type { RecordedCommit } from "./recorder.ts";
import type { Stage } from "./stage.ts";
import { runTicks, type EngineRun } from "./whole-engine.ts";

export interface Sample {
  cycles: number;
  ms: number;
  cpu: CpuTime;
}

export interface Round {
  engine: Sample;
  raw: Sample;
  rawPerCycle: Sample;
  flush: Sample;
  rows: number;
  tickMs: number[];
  /** Of the process that runs the engine, while ticks are under way. */
  lag: LoopLag;
  /** The engine's own time by part, µs in all; null without a profile. */
  breakdown: Breakdown | null;
}

export interface RoundParts {
  stage: Stage;
  strategies: number;
  ticks: number;
  /** A copy of the stage's database for the scenarios that only write. */
  copy: { database: Database; connections: RawConnection[] };
  forge: Forge;
  postmaster: number | null;
  profile: CpuProfile | null;
  /** Commits to write where the engine's own are not seen: those of its threads. */
  recorded: readonly RecordedCommit[];
}

/** Before anything is measured: positions are opened, code is compiled. */
const WARM_UP_CYCLES = 30_000;
const WARM_UP_TICKS = 3;
const RAW_CONNECTIONS = 4;
const CONCURRENT = 10;
const SINGLE_CYCLES = 1_000;
const RAW_WARM_UP_CYCLES = 5_000;

/** The rounds, and the commits that the scenarios which only write wrote last. */
export interface DoneRounds {
  rounds: Round[];
  commits: readonly RecordedCommit[];
}

export async function runRounds(parts: RoundParts, rounds: number): Promise<DoneRounds> {
  const { stage, strategies } = parts;
  const ticks = Math.max(WARM_UP_TICKS, Math.ceil(WARM_UP_CYCLES / strategies));
  const warmUp = await runTicks(stage, { ticks, strategies });
  let commits = seenOf(parts, warmUp);
  await writeAll(parts, commits, RAW_WARM_UP_CYCLES);
  const done: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { run, measured } = await runEngine(parts);
    commits = seenOf(parts, run);
    done.push({ ...measured, ...(await writeAll(parts, commits, run.cycles)) });
  }
  return { rounds: done, commits };
}

async function runEngine(parts: RoundParts) {
  const { profile, stage, strategies, ticks } = parts;
  const before = readCpu(parts.postmaster);
  await profile?.start();
  const { result: run, lag } = await watchLoop(() => runTicks(stage, { ticks, strategies }));
  const cpu = cpuSince(before, readCpu(parts.postmaster));
  const profiled = await profile?.stop();
  const breakdown = profiled === undefined ? null : breakdownOf(profiled);
  const { cycles, ms, rows, tickMs } = run;
  return { run, measured: { engine: { cycles, ms, cpu }, rows, tickMs, lag, breakdown } };
}

function seenOf({ recorded }: RoundParts, { commits }: EngineRun): readonly RecordedCommit[] {
  return commits.length > 0 ? commits : recorded;
}

async function writeAll(
  { copy, forge, postmaster }: RoundParts,
  commits: readonly RecordedCommit[],
  cycles: number,
): Promise<Pick<Round, "raw" | "rawPerCycle" | "flush">> {
  const { connections, database } = copy;
  const singles = singlesOf(commits);
  return {
    raw: await sampled(postmaster, () =>
      writeRaw(connections.slice(0, RAW_CONNECTIONS), repeated(commits, cycles), forge),
    ),
    rawPerCycle: await sampled(postmaster, () => writeRaw(connections, singles, forge)),
    flush: await sampled(postmaster, () =>
      flushCycles(database, singles, { forge, concurrent: CONCURRENT }),
    ),
  };
}

/** As much work as the engine did: a short burst would spare the server its own housekeeping. */
function repeated(commits: readonly RecordedCommit[], cycles: number): RecordedCommit[] {
  const all: RecordedCommit[] = [];
  let count = 0;
  while (commits.length > 0 && count < cycles) {
    for (const commit of commits) {
      if (count >= cycles) break;
      all.push(commit);
      count += commit.writes.length;
    }
  }
  return all;
}

/** Cycles of different strategies as commits of their own, the shards in turn. */
function singlesOf(commits: readonly RecordedCommit[]): RecordedCommit[] {
  const shards = [...new Map(commits.map((commit) => [commit.shardId, commit])).values()];
  const longest = Math.max(0, ...shards.map(({ writes }) => writes.length));
  return Array.from({ length: longest }, (_, index) =>
    shards.flatMap(({ shardId, writes }) => {
      const write = writes[index];
      return write === undefined ? [] : [{ shardId, writes: [write] }];
    }),
  )
    .flat()
    .slice(0, SINGLE_CYCLES);
}

async function sampled(
  postmaster: number | null,
  scenario: () => Promise<{ cycles: number; ms: number }>,
): Promise<Sample> {
  const before = readCpu(postmaster);
  const run = await scenario();
  return { ...run, cpu: cpuSince(before, readCpu(postmaster)) };
}
