// The whole product in a process that a test can kill: opened from the environment as `troupe start`
// opens it, run to the end of its replay, closed. It reports to its parent in lines of JSON.
import { Socket } from "node:net";
import { z } from "zod";
import { readConfig } from "#config/config.ts";
import { valuePortfolio } from "#domain/ledger.ts";
import type { Resident } from "#engine/resident.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { seedDemo } from "#services/demo.ts";
import { createLogger, openStore, openTroupe, type Troupe } from "../../../src/troupe.ts";
import { committedActors, type Query, violations } from "#support/invariants.ts";
import type { Findings, Report, RestoredActor } from "./reports.ts";

const POLL_MS = 10;

const orders = z.object({
  mode: z.enum(["seed", "run", "serve"]),
  shardSize: z.number().optional(),
  /** A stop that is asked for at the start of the run and carried out before its end. */
  stop: z.object({ name: z.string(), commandId: z.string() }).optional(),
});

const given = orders.parse(JSON.parse(process.argv[2] ?? "{}"));
const config = readConfig(process.env);
const options = {
  config,
  logger: createLogger(config),
  ...(given.shardSize === undefined ? {} : { shardSize: given.shardSize }),
};

dieWithParent();
if (given.mode === "seed") await seed();
else await run();

function dieWithParent(): void {
  process.stdin.once("close", () => process.kill(process.pid, "SIGKILL")).resume();
  if (process.stdin instanceof Socket) process.stdin.unref();
}

async function seed(): Promise<void> {
  await using store = await openStore(options);
  const { id: userId, email: actor } = await store.services.localUser();
  const created = await seedDemo(store.services.strategies, bundledDefinitions, { userId, actor });
  report({ event: "seeded", created });
}

async function run(): Promise<void> {
  await using troupe = await openTroupe(options);
  report({ event: "opened", ...(await findings(troupe)) });
  const restored = watchRestored(troupe);
  reportWork(troupe);
  const terminated = Promise.withResolvers<void>();
  process.once("SIGTERM", () => terminated.resolve());

  await troupe.engine.start();
  report({ event: "restored", actors: restored() });
  if (given.stop !== undefined) await stopOne(troupe, given.stop);
  const done = given.mode === "run" ? replayed(troupe) : new Promise<void>(() => undefined);
  await Promise.race([done, terminated.promise]);
  await troupe.engine.stop("the process ends");
  report({ event: "finished" });
}

/** What the process before this one left behind. */
async function findings({ database }: Troupe): Promise<Findings> {
  const query: Query = (statement, params) => database.sql.rows(statement, params);
  const open = await query("select 1 from ticks where status in ('pending', 'running')");
  return {
    violations: await violations(query),
    committed: await committedActors(query),
    openTicks: open.length,
  };
}

/** Every actor as it came out of the database, before its first message. */
function watchRestored({ engine }: Troupe): () => RestoredActor[] {
  const actors = new Map<string, RestoredActor>();
  // Strategies are shown for the first time when all are restored and no work has begun.
  engine.live.onCommit((changes) => {
    for (const { strategyId } of changes) {
      const resident = engine.directory.strategy(strategyId);
      if (actors.has(strategyId) || resident === undefined) continue;
      actors.set(strategyId, actorOf(resident));
    }
  });
  return () => [...actors.values()];
}

function actorOf({ context, seq, strategyId, value }: Resident): RestoredActor {
  const marks = { at: 0, quotes: {} };
  const { view } = valuePortfolio(context.ledger, marks, { maxLeverage: 1 });
  return { strategyId, seq, value, context, equity: view.totalValue, cash: view.cash };
}

/** Reports the cycles that this process committed; those of other nodes are shown here as well. */
function reportWork({ engine }: Troupe): void {
  const latest = new Map<string, number>();
  let cycles = 0;
  engine.live.onCommit((changes) => {
    for (const { cycleIndex, seq, strategyId } of changes) {
      const isOwn = engine.directory.strategy(strategyId)?.seq === seq;
      if (isOwn && cycleIndex > (latest.get(strategyId) ?? cycleIndex)) cycles += 1;
      latest.set(strategyId, cycleIndex);
    }
    if (cycles > 0) report({ event: "worked", cycles });
  });
}

/** As a user would: asks once, however often the process dies over it, and waits until it is done. */
async function stopOne(
  { database, services }: Troupe,
  { name, commandId }: { name: string; commandId: string },
): Promise<void> {
  const read = async () => {
    const [row] = await database.sql.rows(
      "select id, state, desired_status from strategies where instance_name = $1",
      [name],
    );
    return row;
  };
  const found = await read();
  if (found?.["desired_status"] === "running") {
    const request = { closePositions: true, reason: "asked by the test", actor: "test", commandId };
    await services.strategies.stop(String(found["id"]), request);
  }
  await until(async () => (await read())?.["state"] === "stopped");
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
