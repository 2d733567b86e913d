import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Crew, produce, type Production } from "./support/crew.ts";
import { seededRandom } from "#support/random.ts";
import { misfortunes } from "./support/misfortunes.ts";
import { haltAtWork, SILENCES, type Silence, takenOver } from "./support/halted.ts";

const TICKS = 40;
/** Slow, so that nobody comes too late; the rest is played fast. */
const PACE = { ticksPerSecond: 2, heartbeatSeconds: 2 };
const ALL = process.env["TROUPE_FAULTS"] === "all";

let production: Production;

beforeAll(async () => {
  production = await produce(TICKS);
});

afterAll(() => production[Symbol.asyncDispose]());

describe("four engines on one PostgreSQL", () => {
  test.each(ALL ? [2, 5, 10] : [2])(
    "finish without loss what one of them, killed in mid-tick, leaves (heartbeat %i s)",
    async (heartbeatSeconds) => {
      await using crew = await production.stage({ ...PACE, heartbeatSeconds });
      const players = await Promise.all([crew.join(), crew.join(), crew.join()]);
      const victim = await crew.join({ TROUPE_CRASH_AT: "journal.before-commit:6" });
      expect(await victim.run.ended).toMatchObject({ signal: "SIGKILL" });
      const diedAt = performance.now();
      const [open] = await crew.query("select id from ticks where status = 'running' limit 1");
      expect(open).toBeDefined();
      await isClosed(crew, String(open?.["id"]));
      const seconds = ((performance.now() - diedAt) / 1000).toFixed(1);
      tell(`killed, heartbeat ${heartbeatSeconds} s: its tick was closed ${seconds} s later`);
      await crew.finish(players);
      for (const { run } of [victim, ...players]) expect(run.cycles).toBeGreaterThan(0);
      await crew.expectHistoryOfOne();
    },
  );
});

const SILENT: readonly { silence: Silence; inTransaction: boolean }[] = [
  { silence: "frozen", inTransaction: false },
  { silence: "cut off", inTransaction: false },
  { silence: "frozen", inTransaction: true },
  { silence: "cut off", inTransaction: true },
];

describe.each(SILENT.filter(({ inTransaction }) => ALL || !inTransaction))(
  "an engine $silence in mid-tick (inside its transaction: $inTransaction)",
  ({ silence, inTransaction }) => {
    test("past its heartbeat, changes no row and then works on", async () => {
      await using crew = await production.stage(PACE);
      const victim = await crew.join();
      await vi.waitFor(() => expect(victim.run.cycles).toBeGreaterThan(0), { timeout: 10_000 });
      const halted = await haltAtWork(victim, crew.query, { silence, inTransaction });
      const other = await crew.join();
      await takenOver(crew.query, halted);
      await isClosed(crew, halted.tickId);
      const written = await rowsOf(crew, halted.tickId);

      const before = victim.run.cycles;
      await SILENCES[silence].end(victim);
      await vi.waitFor(() => expect(victim.run.cycles).toBeGreaterThan(before), {
        timeout: 15_000,
      });
      await crew.finish([victim, other]);
      expect(await rowsOf(crew, halted.tickId)).toEqual(written);
      await crew.expectHistoryOfOne();
    });
  },
);

describe("engines added and taken out in mid-tick", () => {
  test("hand over what they have, and no cycle is lost or doubled", async () => {
    await using crew = await production.stage(PACE);
    let oldest = await crew.join();
    for (const _ of ["second", "third"]) {
      const next = await crew.join();
      await vi.waitFor(() => expect(next.run.cycles).toBeGreaterThan(0), { timeout: 15_000 });
      await vi.waitFor(async () => expect(await isTickUnderWay(crew)).toBe(true), { interval: 2 });
      oldest.run.child.kill("SIGTERM");
      expect(await oldest.run.ended).toMatchObject({ exitCode: 0 });
      oldest = next;
    }
    await crew.finish([oldest]);
    await crew.expectHistoryOfOne();
  });
});

describe.runIf(ALL)("engines that die, freeze, are cut off, leave and join at random", () => {
  const SEED = Number(process.env["TROUPE_FAULTS_SEED"] ?? 20_261_121);
  const ROUNDS = Number(process.env["TROUPE_FAULTS_ROUNDS"] ?? 12);

  test(
    "leave the history of one engine",
    async () => {
      await using long = await produce(12 * ROUNDS);
      await using crew = await long.stage({ ticksPerSecond: 4, heartbeatSeconds: 2 });
      const told = await misfortunes(crew, { rounds: ROUNDS, random: seededRandom(SEED) });
      tell(`seed ${SEED}, ${told.length} misfortunes: ${told.join(", ")}`);
      await crew.expectHistoryOfOne();
    },
    ROUNDS * 30_000,
  );
});

async function isTickUnderWay(crew: Crew): Promise<boolean> {
  return (await crew.query("select 1 from ticks where status = 'running'")).length > 0;
}

async function isClosed({ query }: Crew, tickId: string): Promise<void> {
  const open = "select 1 from ticks where id = $1 and status <> 'completed'";
  await vi.waitFor(async () => expect(await query(open, [tickId])).toEqual([]), {
    timeout: 60_000,
    interval: 10,
  });
}

/** Which transaction wrote each cycle of a tick. */
function rowsOf({ query }: Crew, tickId: string) {
  return query(
    `select strategy_id, xmin::text as written_by from strategy_compose_cycles
     where tick_id = $1 order by strategy_id`,
    [tickId],
  );
}

function tell(what: string): void {
  process.stdout.write(`${what}\n`);
}
