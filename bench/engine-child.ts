// Run by engines.ts: one engine in a process of its own, stepped from one tick to the next by its parent.
import { z } from "zod";
import { ShardHost } from "#engine/shard/shard-host.ts";
import type { EngineFigures } from "./engine-figures.ts";
import { openPlace, setStage, START_AT } from "./stage.ts";

const request = z.union([z.object({ now: z.number() }), z.enum(["report", "stop"])]);

const engineOrders = z.object({
  url: z.string(),
  /** Forget all members before each job, as if another engine had had the shard in between. */
  forgetful: z.boolean(),
});

const nothing = { shardJobs: 0, restores: 0, restoreMs: 0 };

async function serve(): Promise<void> {
  const { url, forgetful } = engineOrders.parse(JSON.parse(process.argv[2] ?? ""));
  const place = { kind: "postgres", url } as const;
  const store = await openPlace(place);
  // Between two boundaries: nothing is due before the parent says so.
  const startAt = START_AT + 1;
  const stage = await setStage(store, { place, startAt, keepEveryNth: Infinity });
  await stage.engine.start();
  const watch = watchShards(forgetful);
  let cpu = process.cpuUsage();
  // Also when the parent died: nobody would ever tell this engine to stop.
  process.once("disconnect", () => process.exit());
  process.on("message", (message) => void answer(request.parse(message)));
  tell({ ready: true });

  async function answer(what: z.infer<typeof request>): Promise<void> {
    if (what === "report") tell(figures());
    else if (what !== "stop") stage.clock.observe(what.now);
    else {
      await stage.engine.stop("measured");
      await store[Symbol.asyncDispose]();
      process.disconnect();
    }
  }

  function figures(): EngineFigures {
    const { user, system } = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    const { cycles } = stage.recorder.take();
    const lastCommitAt = performance.timeOrigin + stage.recorder.lastCommitAt;
    const taken = { ...watch };
    Object.assign(watch, nothing);
    return { cycles, lastCommitAt, cpuMicroseconds: user + system, ...taken };
  }
}

/** Counts what shards do when they are about to work. */
function watchShards(forgetful: boolean): typeof nothing {
  const counts = { ...nothing };
  const synchronise = Reflect.get(ShardHost.prototype, "synchronise");
  ShardHost.prototype.synchronise = async function watched(this: ShardHost, head) {
    if (forgetful) this.evict();
    const isRestore = this.version !== head.version;
    const startedAt = performance.now();
    await Reflect.apply(synchronise, this, [head]);
    counts.shardJobs += 1;
    if (!isRestore) return;
    counts.restores += 1;
    counts.restoreMs += performance.now() - startedAt;
  };
  return counts;
}

function tell(message: EngineFigures | { ready: true }): void {
  process.send?.(message);
}

await serve();
