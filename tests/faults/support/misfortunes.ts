// One life of three engines in which, again and again, something happens to one of them at some moment.
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Crew, Player } from "./crew.ts";
import { SILENCES, type Silence } from "./halted.ts";

const ENGINES = 3;
/** The longest silence: twice the heartbeat of two seconds, so half of them are taken for dead. */
const LONGEST_MS = 4_000;

/** Returns what happened, in order; all engines have left in the end, and the replay is played. */
export async function misfortunes(
  crew: Crew,
  { rounds, random }: { rounds: number; random: () => number },
): Promise<string[]> {
  const told: string[] = [];
  const players = await Promise.all(Array.from({ length: ENGINES }, () => crew.join()));
  const one = <T>(choices: readonly T[]): T => {
    const chosen = choices[Math.floor(random() * choices.length)];
    if (chosen === undefined) throw new Error("nothing to choose from");
    return chosen;
  };
  for (let round = 0; round < rounds && !(await crew.isPlayed()); round += 1) {
    await sleep(Math.floor(random() * 400));
    const victim = one(players);
    const misfortune = one(["killed", "frozen", "cut off", "left"] as const);
    if (misfortune === "killed" || misfortune === "left") {
      await end(victim, misfortune);
      players.splice(players.indexOf(victim), 1, await crew.join());
      told.push(misfortune);
    } else {
      const ms = Math.floor(random() * LONGEST_MS);
      await silence(victim, misfortune, ms);
      told.push(`${misfortune} ${ms} ms`);
    }
  }
  await crew.finish(players);
  return told;
}

async function end({ run }: Player, how: "killed" | "left"): Promise<void> {
  run.child.kill(how === "killed" ? "SIGKILL" : "SIGTERM");
  const expected = how === "killed" ? { signal: "SIGKILL" } : { exitCode: 0 };
  expect(await run.ended).toMatchObject(expected);
}

async function silence(player: Player, how: Silence, ms: number): Promise<void> {
  SILENCES[how].begin(player);
  await sleep(ms);
  await SILENCES[how].end(player);
}
