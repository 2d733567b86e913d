// What a growing past costs: the same strategies on databases that differ in nothing but the number of
// stored cycles, asked and ticked in turns, so that whatever else the machine does hits all of them.
import { cpuSince, readCpu, type CpuTime } from "./cpu.ts";
import type { Databases } from "./databases.ts";
import { prepareReads } from "./history-reads.ts";
import { storeHistory } from "./history-rows.ts";
import type { BenchOptions } from "./options.ts";
import { populate } from "./population.ts";
import { openPlace, setStage, START_AT, type Place, type Stage } from "./stage.ts";
import { percentile } from "./statistics.ts";
import type { OpenStore } from "../src/troupe.ts";
import { runTicks } from "./whole-engine.ts";

/** One of the databases. */
export interface HistorySize {
  cycles: number;
  bytes: number;
}

export interface ReadTimes {
  name: string;
  isList: boolean;
  /** By size, ms; null where there was nothing to read. */
  times: ({ p50: number; p99: number } | null)[];
}

export interface TickCost {
  ms: number;
  cycles: number;
  cpu: CpuTime;
}

export interface HistoryMeasures {
  database: Place["kind"];
  strategies: number;
  sizes: HistorySize[];
  /** Empty when they were not asked for. */
  reads: ReadTimes[];
  /** Rounds, in each one tick by size. */
  ticks: TickCost[][];
}

interface Past {
  place: Place;
  store: OpenStore;
  size: HistorySize;
}

/** Days that were really lived; the rest of the past repeats them. */
const LIVED_TICKS = 5;
const WARM_UP_CALLS = 3;
const WARM_UP_TICKS = 2;

export async function measureHistory(
  databases: Databases,
  { strategies, options }: { strategies: number; options: BenchOptions },
): Promise<HistoryMeasures> {
  await using resources = new AsyncDisposableStack();
  const original = await databases.create(`history_${strategies}`);
  const startAt = await live(original, strategies);
  const pasts: Past[] = [];
  for (const cycles of options.history) {
    const place = await databases.clone(original, `history_${strategies}_${cycles}`);
    const store = resources.use(await openPlace(place));
    const stored = await storeHistory(store.database, cycles);
    pasts.push({ place, store, size: { cycles: stored, bytes: await sizeOf(store) } });
  }
  const reads = options.parts.has("history")
    ? await measureReads(pasts, { strategies, samples: options.samples })
    : [];
  const ticks = options.parts.has("flatness") ? await measureTicks() : [];
  const sizes = pasts.map(({ size }) => size);
  return { database: original.kind, strategies, sizes, reads, ticks };

  async function measureTicks(): Promise<TickCost[][]> {
    const stages: Stage[] = [];
    // All of them as far from the last one, and none within the next minutes.
    for (const { store } of pasts) await store.database.sql.run("checkpoint");
    for (const { place, store } of pasts) {
      const stage = await setStage(store, { place, startAt, keepEveryNth: Infinity });
      await stage.engine.start();
      stages.push(stage);
    }
    const rounds: TickCost[][] = [];
    for (let round = 0; round < WARM_UP_TICKS + options.rounds; round += 1) {
      const costs: TickCost[] = [];
      for (const stage of stages) {
        costs.push(await tick(stage, { strategies, postmaster: databases.postmaster }));
      }
      if (round >= WARM_UP_TICKS) rounds.push(costs);
    }
    for (const stage of stages) await stage.engine.stop("measured");
    return rounds;
  }
}

/** Answers when the next tick may begin. */
async function live(place: Place, strategies: number): Promise<number> {
  await using store = await openPlace(place);
  await populate(store.services, strategies);
  const stage = await setStage(store, { place, startAt: START_AT, keepEveryNth: Infinity });
  await stage.engine.start();
  await runTicks(stage, { ticks: LIVED_TICKS, strategies });
  await stage.engine.stop("lived");
  return stage.clock.now();
}

async function sizeOf({ database }: OpenStore): Promise<number> {
  const [row] = await database.sql.rows("select pg_database_size(current_database()) as bytes");
  return Number(row?.["bytes"]);
}

async function measureReads(
  pasts: readonly Past[],
  { strategies, samples }: { strategies: number; samples: number },
): Promise<ReadTimes[]> {
  const prepared = await Promise.all(pasts.map(({ store }) => prepareReads(store, strategies)));
  const [first = []] = prepared;
  const results: ReadTimes[] = [];
  for (const [index, { name, isList }] of first.entries()) {
    const asks = prepared.map((reads) => reads[index]?.ask ?? null);
    const taken: number[][] = asks.map(() => []);
    for (let call = 0; call < WARM_UP_CALLS + samples; call += 1) {
      for (const [size, ask] of asks.entries()) {
        const askedAt = performance.now();
        await ask?.(call);
        if (call >= WARM_UP_CALLS) taken[size]?.push(performance.now() - askedAt);
      }
    }
    const times = taken.map((ms, size) =>
      asks[size] === null ? null : { p50: percentile(ms, 50), p99: percentile(ms, 99) },
    );
    results.push({ name, isList, times });
  }
  return results;
}

async function tick(
  stage: Stage,
  { strategies, postmaster }: { strategies: number; postmaster: number | null },
): Promise<TickCost> {
  const before = readCpu(postmaster);
  const { tickMs, cycles } = await runTicks(stage, { ticks: 1, strategies });
  return { ms: tickMs[0] ?? Number.NaN, cycles, cpu: cpuSince(before, readCpu(postmaster)) };
}
