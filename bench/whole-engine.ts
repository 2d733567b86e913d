import { setTimeout as sleep } from "node:timers/promises";
import type { RecordedCommit } from "./recorder.ts";
import type { Stage } from "./stage.ts";

export interface EngineRun {
  cycles: number;
  rows: number;
  /** From the first proposal to the close of the last tick. */
  ms: number;
  /** Per tick, from its proposal to its last commit. */
  tickMs: number[];
  commits: RecordedCommit[];
}

const TICK_LIMIT_MS = 900_000;
/** Looking costs time of its own. */
const POLL_MS = 5;

/** Runs whole ticks one after another: queue, agents, decisions, ledger, journal. */
export async function runTicks(
  stage: Stage,
  { ticks, strategies }: { ticks: number; strategies: number },
): Promise<EngineRun> {
  const run: EngineRun = { cycles: 0, rows: 0, ms: 0, tickMs: [], commits: [] };
  stage.recorder.take();
  const startedAt = performance.now();
  for (let done = 0; done < ticks; done += 1) {
    const proposedAt = performance.now();
    stage.clock.step();
    await isOver(stage, strategies * (done + 1));
    run.tickMs.push(stage.recorder.lastCommitAt - proposedAt);
  }
  run.ms = performance.now() - startedAt;
  return { ...run, ...stage.recorder.take() };
}

/** Every strategy has its cycle and every group is back at rest. */
async function isOver({ engine, recorder }: Stage, cycles: number): Promise<void> {
  const giveUpAt = performance.now() + TICK_LIMIT_MS;
  const isAtRest = (): boolean =>
    recorder.cycles >= cycles && engine.directory.groups().every(({ state }) => state === "idle");
  while (!isAtRest()) {
    if (performance.now() > giveUpAt) {
      throw new Error(
        `expected ${cycles} cycles, were ${recorder.cycles} after a quarter of an hour`,
      );
    }
    await sleep(POLL_MS);
  }
}
