// What a number of strategies costs on one database: throughput, boot, memory.
import { measureBoots, type BootMeasure } from "./boot.ts";
import type { Databases } from "./databases.ts";
import { createForge } from "./forge.ts";
import type { BenchOptions } from "./options.ts";
import { populate } from "./population.ts";
import { createCpuProfile } from "./profile.ts";
import type { RecordedCommit } from "./recorder.ts";
import { runRounds, type Round, type RoundParts } from "./rounds.ts";
import { openPlace, setStage, START_AT, type Place } from "./stage.ts";

export interface Throughput {
  /** Threads that strategies had; 0: all in the main one. */
  threads: number;
  rounds: Round[];
  /** Agent runs per tick, by agent. */
  agentRunsPerTick: Record<string, number>;
}

export interface EngineMeasures {
  database: Place["kind"];
  strategies: number;
  /** First of all in one thread, then with threads; empty when it was not asked for. */
  throughput: Throughput[];
  boots: BootMeasure[];
}

const CYCLES_PER_ROUND = 20_000;
const SAMPLED_COMMITS_PER_ROUND = 60;
const SHARD_SIZES = { postgres: 100, pglite: 50 } as const;

export async function measureEngine(
  databases: Databases,
  { strategies, options }: { strategies: number; options: BenchOptions },
): Promise<EngineMeasures> {
  const place = await databases.create(`engine_${strategies}`);
  {
    await using store = await openPlace(place);
    await populate(store.services, strategies);
  }
  let stoppedAt = START_AT;
  const throughput = options.parts.has("throughput") ? await measureThroughput() : [];
  const boots = options.parts.has("boot") ? await measureBoots(place, stoppedAt) : [];
  return { database: place.kind, strategies, throughput, boots };

  async function measureThroughput(): Promise<Throughput[]> {
    await using copy = await databases.copy(place, `copy_${strategies}`);
    const forge = createForge(1_000_000);
    let recorded: readonly RecordedCommit[] = [];
    const measured: Throughput[] = [];
    for (const threads of place.kind === "postgres" ? new Set([0, options.threads]) : [0]) {
      const { commits, ...done } = await measureRounds({ threads, recorded, forge, copy });
      measured.push(done);
      recorded = commits;
    }
    return measured;
  }

  async function measureRounds({
    threads,
    ...given
  }: Pick<RoundParts, "recorded" | "forge" | "copy"> & { threads: number }) {
    const ticks = options.ticks ?? Math.max(2, Math.ceil(CYCLES_PER_ROUND / strategies));
    const shards = ticks * Math.ceil(strategies / SHARD_SIZES[place.kind]);
    const keepEveryNth = Math.max(1, Math.floor(shards / SAMPLED_COMMITS_PER_ROUND));
    await using store = await openPlace(place);
    const stage = await setStage(store, { place, startAt: stoppedAt, keepEveryNth, threads });
    const name = `${place.kind}-${strategies}-${threads}`;
    const profile = options.profile === null ? null : await createCpuProfile(options.profile, name);
    await stage.engine.start();
    const { postmaster } = databases;
    const parts = { ...given, stage, strategies, ticks, postmaster, profile };
    const done = await runRounds(parts, options.rounds);
    stoppedAt = stage.clock.now();
    await stage.engine.stop("measured");
    return { threads, ...done, agentRunsPerTick: perTick(stage.agentRuns, stage.clock.steps) };
  }
}

function perTick(runs: ReadonlyMap<string, number>, ticks: number): Record<string, number> {
  return Object.fromEntries([...runs].map(([agent, count]) => [agent, count / ticks]));
}
