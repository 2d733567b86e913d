import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { committedActors, violations } from "#support/invariants.ts";
import { type CrashTemplate, seededTemplate, type StoreKind } from "./support/crash-stores.ts";
import { runToEnd, startRun } from "./support/engine-run.ts";
import { checkStart } from "./support/lifetime.ts";
import { openReplays, type Replays } from "./support/replays.ts";

const TICKS = 30;
/** Ticks per second: slow enough to be there for most of the replay. */
const PACE = { TROUPE_REPLAY_SPEED: "10" };
const run = { mode: "run" } as const;
const serve = { mode: "serve" } as const;

const SHARD_SIZE = 2;

let replays: Replays;
let templates: Record<StoreKind, CrashTemplate>;

beforeAll(async () => {
  replays = await openReplays();
  templates = {
    pglite: await seededTemplate("pglite", { shardSize: SHARD_SIZE }),
    postgres: await seededTemplate("postgres", { shardSize: SHARD_SIZE }),
  };
});

afterAll(async () => {
  for (const template of Object.values(templates)) await template[Symbol.asyncDispose]();
  await replays[Symbol.asyncDispose]();
});

test("a second engine on a PGlite folder says that it is taken, and the first goes on", async () => {
  await using store = await templates.pglite.copy();
  const environment = {
    ...store.environment,
    ...PACE,
    TROUPE_REPLAY_FILE: await replays.ofTicks(TICKS),
  };
  await using first = startRun(serve, environment);
  await first.heard("restored");
  await using second = startRun(serve, environment);
  const refused = await second.ended;
  expect(refused.exitCode).not.toBe(0);
  expect(refused.complaints).toContain(`is taken by process ${first.child.pid}`);
  const before = first.cycles;
  await vi.waitFor(() => expect(first.cycles).toBeGreaterThan(before), { timeout: 10_000 });
  first.child.kill("SIGTERM");
  expect(await first.ended).toMatchObject({ exitCode: 0 });
});

describe.each<StoreKind>(["pglite", "postgres"])("I9: SIGTERM on %s", (kind) => {
  test("sells nothing, and the next boot goes on with what its user did not stop", async () => {
    await using store = await templates[kind].copy();
    const environment = {
      ...store.environment,
      ...PACE,
      TROUPE_REPLAY_FILE: await replays.ofTicks(TICKS),
    };
    const stop = {
      wish: "stop",
      name: "Sceptic",
      commandId: "0f5c2a34-30f4-4d8e-9d13-5a0b6f7c1d22",
    } as const;
    await using first = startRun({ ...serve, control: stop }, environment);
    await vi.waitFor(() => expect(first.cycles).toBeGreaterThan(60), { timeout: 120_000 });
    first.child.kill("SIGTERM");
    expect(await first.ended).toMatchObject({ exitCode: 0 });

    const left = await store.inspect(async (query) => {
      expect(await violations(query)).toEqual([]);
      const states = await query(
        `select state, desired_status, stop_reason, count(*)::int as n from strategies
         group by 1, 2, 3 order by 1`,
      );
      expect(states).toEqual([
        { state: "cancelled", desired_status: "running", stop_reason: "cancelled", n: 11 },
        { state: "stopped", desired_status: "stopped", stop_reason: "normal_exit", n: 1 },
      ]);
      expect(await query(sellsOutsideTicks, [stop.name])).toEqual([]);
      return committedActors(query);
    });

    const second = await runToEnd(run, environment);
    checkStart(second);
    const opened = second.reports.find((report) => report.event === "opened");
    expect(opened).toMatchObject({ committed: left });
    const after = await store.inspect(committedActors);
    for (const actor of after) {
      const before = left.find(({ id }) => id === actor.id);
      if (before?.value === "stopped") expect(actor).toEqual(before);
      else expect(actor.cycleIndex).toBe(TICKS);
    }
  });
});

/** Orders of strategies nobody stopped that no tick asked for. */
const sellsOutsideTicks = `
  select i.instruction_id from strategy_instructions i
  join strategy_compose_cycles c using (strategy_id, cycle_index)
  join strategies s on s.id = c.strategy_id
  where c.cause <> 'tick' and s.instance_name <> $1`;
