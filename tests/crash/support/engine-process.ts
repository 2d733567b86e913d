// The whole product in a process that a test can kill: opened from the environment as `troupe start`
// opens it, run to the end of its replay, closed. It reports to its parent in lines of JSON.
import { z } from "zod";
import { readConfig } from "#config/config.ts";
import { valuePortfolio } from "#domain/ledger.ts";
import type { LiveStrategy } from "#engine/live/live-store.ts";
import type { Resident } from "#engine/strategy/resident.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { seedDemo } from "#services/demo.ts";
import { threadCount } from "../../../src/threads.ts";
import { createLogger, openStore, openTroupe, type Troupe } from "../../../src/troupe.ts";
import { committedActors, type Query, violations } from "#support/invariants.ts";
import { unaccounted } from "./accounts.ts";
import { addHardCases } from "./hard-cases.ts";
import type { Findings, Report, Restored, RestoredActor, ShownStrategy } from "./reports.ts";

const POLL_MS = 10;

const orders = z.object({
  mode: z.enum(["seed", "run", "serve"]),
  shardSize: z.number().optional(),
  /** Seeds perpetual strategies too, and a strategy some of whose cycles the database refuses. */
  hardCases: z.boolean().default(false),
  /**
   * A command that is carried out before the end of the run: asked for when the replay is at its end,
   * or at once by a process that serves.
   */
  control: z
    .object({ wish: z.enum(["stop", "resume"]), name: z.string(), commandId: z.string() })
    .optional(),
});

const given = orders.parse(JSON.parse(process.argv[2] ?? "{}"));
const config = readConfig(process.env);
const hasThreads = threadCount(config) > 0;
const options = {
  config,
  logger: createLogger(config),
  ...(given.shardSize === undefined ? {} : { shardSize: given.shardSize }),
};

if (given.mode === "seed") await seed();
else await run();

async function seed(): Promise<void> {
  await using store = await openStore(options);
  const { id: userId, email: actor } = await store.services.localUser();
  const created = await seedDemo(store.services.strategies, bundledDefinitions, { userId, actor });
  const more = given.hardCases ? await addHardCases(store, { userId, actor }) : 0;
  report({ event: "seeded", created: created + more });
}

async function run(): Promise<void> {
  await using troupe = await openTroupe(options);
  report({ event: "opened", ...(await findings(troupe)) });
  const restored = watchRestored(troupe);
  reportWork(troupe);
  const terminated = Promise.withResolvers<void>();
  process.once("SIGTERM", () => terminated.resolve());

  await troupe.engine.start();
  report({ event: "restored", ...restored() });
  const done = given.mode === "run" ? play(troupe) : serve(troupe);
  await Promise.race([done, terminated.promise]);
  await troupe.engine.stop("the process ends");
  report({ event: "finished", shown: troupe.engine.live.all().map(shownOf) });
}

async function play(troupe: Troupe): Promise<void> {
  await replayed(troupe);
  if (given.control !== undefined) await control(troupe, given.control);
}

async function serve(troupe: Troupe): Promise<void> {
  if (given.control !== undefined) await control(troupe, given.control);
  await new Promise(() => undefined);
}

/** What the process before this one left behind. */
async function findings({ database }: Troupe): Promise<Findings> {
  const query: Query = (statement, params) => database.sql.rows(statement, params);
  const open = await query("select 1 from ticks where status in ('pending', 'running')");
  return {
    violations: [...(await violations(query)), ...(await unaccounted(query))],
    committed: await committedActors(query),
    openTicks: open.length,
  };
}

/** Every actor as it came out of the database and was first shown, before its first message. */
function watchRestored({ engine }: Troupe): () => Restored {
  const actors: RestoredActor[] = [];
  const shown = new Map<string, ShownStrategy>();
  // Strategies are shown for the first time when all are restored and no work has begun.
  engine.live.onChange((changes) => {
    for (const strategy of changes) {
      const { strategyId } = strategy;
      if (shown.has(strategyId)) continue;
      shown.set(strategyId, shownOf(strategy));
      const resident = engine.directory.strategy(strategyId);
      if (resident !== undefined) actors.push(actorOf(resident));
    }
  });
  return () => ({ actors: hasThreads ? null : actors, shown: [...shown.values()] });
}

function actorOf({ context, seq, strategyId, value }: Resident): RestoredActor {
  const marks = { at: 0, quotes: {} };
  const { view } = valuePortfolio(context.ledger, marks, { maxLeverage: 1 });
  return { strategyId, seq, value, context, equity: view.totalValue, cash: view.cash };
}

function shownOf({ strategyId, seq, cycleIndex, state, ...money }: LiveStrategy): ShownStrategy {
  return { strategyId, seq, cycleIndex, state, equity: money.totalValue, cash: money.cash };
}

/**
 * Reports the cycles that this process committed; those of other nodes are shown here as well. With
 * threads it is taken to be the only one, for its actors cannot be asked which are its own.
 */
function reportWork({ engine }: Troupe): void {
  const latest = new Map<string, number>();
  let cycles = 0;
  engine.live.onChange((changes) => {
    for (const { cycleIndex, seq, strategyId } of changes) {
      const isOwn = hasThreads || engine.directory.strategy(strategyId)?.seq === seq;
      if (isOwn && cycleIndex > (latest.get(strategyId) ?? cycleIndex)) cycles += 1;
      latest.set(strategyId, cycleIndex);
    }
    if (cycles > 0) report({ event: "worked", cycles, shown: changes.map(shownOf) });
  });
}

/** As a user would: asks again after every death until it is done, always by the same command id. */
async function control(
  { database, services }: Troupe,
  { wish, name, commandId }: NonNullable<typeof given.control>,
): Promise<void> {
  const read = async () => {
    const [row] = await database.sql.rows(
      "select id, state from strategies where instance_name = $1",
      [name],
    );
    return row;
  };
  const strategyId = String((await read())?.["id"]);
  const by = { actor: "test", commandId };
  if (wish === "resume") await services.strategies.resume(strategyId, by);
  else {
    const request = { ...by, closePositions: true, reason: "asked by the test" };
    await services.strategies.stop(strategyId, request);
  }
  const state = wish === "stop" ? "stopped" : "running";
  await until(async () => (await read())?.["state"] === state);
}

async function replayed({ clock, database }: Troupe): Promise<void> {
  await until(async () => {
    if (!clock.finished) return false;
    const rows = await database.sql.rows(
      "select 1 from ticks where status in ('pending', 'running') limit 1",
    );
    return rows.length === 0;
  });
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function report(line: Report): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
