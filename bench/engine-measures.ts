// What a number of strategies costs on one database: throughput, boot, memory.
import { measureBoots, type BootMeasure } from "./boot.ts";
import type { Databases } from "./databases.ts";
import type { BenchOptions } from "./options.ts";
import { populate } from "./population.ts";
import { createCpuProfile } from "./profile.ts";
import { runRounds, type Round } from "./rounds.ts";
import { openPlace, setStage, START_AT, type Place } from "./stage.ts";

export interface Throughput {
  rounds: Round[];
  /** Agent runs per tick, by agent. */
  agentRunsPerTick: Record<string, number>;
}

export interface EngineMeasures {
  database: Place["kind"];
  strategies: number;
  /** Null when it was not asked for. */
  throughput: Throughput | null;
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
  const throughput = options.parts.has("throughput") ? await measureRounds() : null;
  const boots = options.parts.has("boot") ? await measureBoots(place, stoppedAt) : [];
  return { database: place.kind, strategies, throughput, boots };

  async function measureRounds(): Promise<Throughput> {
    await using copy = await databases.copy(place, `copy_${strategies}`);
    const ticks = options.ticks ?? Math.max(2, Math.ceil(CYCLES_PER_ROUND / strategies));
    const commits = ticks * Math.ceil(strategies / SHARD_SIZES[place.kind]);
    const keepEveryNth = Math.max(1, Math.floor(commits / SAMPLED_COMMITS_PER_ROUND));
    await using store = await openPlace(place);
    const stage = await setStage(store, { place, startAt: START_AT, keepEveryNth });
    const name = `${place.kind}-${strategies}`;
    const profile = options.profile === null ? null : await createCpuProfile(options.profile, name);
    await stage.engine.start();
    const { postmaster } = databases;
    const parts = { stage, strategies, ticks, copy, postmaster, profile };
    const rounds = await runRounds(parts, options.rounds);
    stoppedAt = stage.clock.now();
    await stage.engine.stop("measured");
    return { rounds, agentRunsPerTick: perTick(stage.agentRuns, stage.clock.steps) };
  }
}

function perTick(runs: ReadonlyMap<string, number>, ticks: number): Record<string, number> {
  return Object.fromEntries([...runs].map(([agent, count]) => [agent, count / ticks]));
}
