// Run by boot.ts in a process of its own: opens the database as a restarted node would, and says how
// long it takes until the first tick can run and what the restored strategies weigh.
import { z } from "zod";
import { type BootMeasure, left } from "./boot.ts";
import { heapUsed } from "./heap.ts";
import { openPlace, setStage } from "./stage.ts";
import { runTicks } from "./whole-engine.ts";

const argument = z.object({
  place: z.union([
    z.object({ kind: z.literal("postgres"), url: z.string() }),
    z.object({ kind: z.literal("pglite"), folder: z.string() }),
  ]),
  startAt: z.number(),
  ticks: z.number(),
  after: left,
  leave: left,
});

const { after, leave, place, startAt, ticks } = argument.parse(JSON.parse(process.argv[2] ?? ""));

async function measure(): Promise<void> {
  await using store = await openPlace(place);
  // A read before: cold caches of the server would count for whoever comes first.
  await readAll();
  const readStartedAt = performance.now();
  await readAll();
  const readMs = performance.now() - readStartedAt;
  const stage = await setStage(store, { place, startAt, keepEveryNth: Infinity });
  const emptyHeap = heapUsed();
  const startedAt = performance.now();
  const { restored: strategies } = await stage.engine.start();
  const bootMs = performance.now() - startedAt;
  const heapBytes = heapUsed() - emptyHeap;
  if (ticks > 0) await runTicks(stage, { ticks, strategies });
  const steadyHeapBytes = ticks > 0 ? heapUsed() - emptyHeap : null;
  const measured = { after, strategies, readMs, bootMs, heapBytes, steadyHeapBytes };
  console.log(JSON.stringify(measured satisfies BootMeasure));
  if (leave === "crash") process.exit();
  await stage.engine.stop("measured");

  async function readAll(): Promise<void> {
    await store.database.sql.rows(
      `select s.id, s.desired_status, s.stop_command_id, s.stop_close_positions,
         s.stop_request_reason, s.instance_params, s.params_version, s.state,
         a.seq, a.machine, a.version, a.value, a.hash, a.snapshot
       from strategies s join actor_snapshots a on a.strategy_id = s.id
       where s.archived_at is null`,
    );
  }
}

await measure();
