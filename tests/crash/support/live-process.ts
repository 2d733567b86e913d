// The product with live channels to the test exchange, in a process that a test can kill. It reports to
// its parent in lines of JSON.
import { z } from "zod";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { PAPER_PROFILES } from "#adapters/paper-profiles.ts";
import { createPaperChannel } from "#adapters/paper-channel.ts";
import { createAgentRegistry } from "#agents/registry.ts";
import { readConfig } from "#config/config.ts";
import { builtInDecisionAgents, createDecisionRegistry } from "#decisions/registry.ts";
import { DEFAULT_SETTINGS } from "#engine/dependencies.ts";
import { ExchangeChannel } from "#support/exchange/exchange-channel.ts";
import { type Query, violations } from "#support/invariants.ts";
import { createLogger, openStore, openTroupe, type Troupe } from "../../../src/troupe.ts";
import * as cast from "./live-cast.ts";
import type { LiveReport } from "./live-life.ts";

const POLL_MS = 20;
/** Real time, ms: as short as a busy machine allows. */
const ORDERS = {
  answerMs: 400,
  askEveryMs: 50,
  askAtLeastEveryMs: 300,
  notFoundMs: 2_000,
  sendWithinMs: 300,
  unknownMs: 60_000,
};

const given = z
  .object({ mode: z.enum(["seed", "work", "settle"]), exchangeUrl: z.string() })
  .parse(JSON.parse(process.argv[2] ?? "{}"));
const config = readConfig(process.env);
await using resources = new AsyncDisposableStack();
const teller = resources.use(cast.priceTeller(given.exchangeUrl));
const channels = cast.ACCOUNTS.map(({ feeRate, marketType, name }) =>
  resources.use(
    new ExchangeChannel({ url: given.exchangeUrl, name, marketType, feeRate: Number(feeRate) }),
  ),
);
const options = {
  config,
  logger: createLogger(config),
  shardSize: cast.SHARD_SIZE,
  settings: { orders: { ...DEFAULT_SETTINGS.orders, ...ORDERS } },
  registries: {
    agents: createAgentRegistry([...createAgentRegistry().list(), teller]),
    channels: createChannelRegistry([...PAPER_PROFILES.map(createPaperChannel), ...channels]),
    decisions: createDecisionRegistry([...builtInDecisionAgents, cast.chance]),
  },
};

if (given.mode === "seed") await seed();
else await run();

async function seed(): Promise<void> {
  await using store = await openStore(options);
  const { id: userId, email: actor } = await store.services.localUser();
  for (const definition of await store.services.definitions.sync(cast.DEFINITIONS)) {
    const members = cast.membersOf(definition);
    const requests = members.map((name) => ({ name, initialBalance: "10000" }));
    await store.services.strategies.createAll(definition, { userId, actor }, requests);
  }
}

async function run(): Promise<void> {
  await using troupe = await openTroupe(options);
  const { engine } = troupe;
  report({ event: "opened", ...(await findings(troupe)) });
  const terminated = Promise.withResolvers<void>();
  process.once("SIGTERM", () => terminated.resolve());
  await engine.start();
  report({ event: "restored" });
  if (given.mode === "settle") await stopAll(troupe);
  else await terminated.promise;
  await engine.stop("the process ends");
  report({ event: "finished" });
}

async function findings({ database }: Troupe) {
  const query: Query = (statement, params) => database.sql.rows(statement, params);
  const out = await query("select 1 from strategy_instructions where status = 'pending'");
  return { violations: await violations(query), ordersOut: out.length };
}

/** Every second strategy sells what it holds; all of them wait for their orders. */
async function stopAll({ database, services }: Troupe): Promise<void> {
  const rows = () => database.sql.rows("select id, state from strategies order by instance_name");
  for (const [index, { id }] of (await rows()).entries()) {
    const request = { closePositions: index % 2 === 0, reason: "the end", actor: "test" };
    await services.strategies.stop(String(id), request);
  }
  while ((await rows()).some(({ state }) => state !== "stopped")) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function report(line: LiveReport): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
