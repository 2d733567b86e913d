// The questions the API asks the services, each about another strategy every time.
import { z } from "zod";
import { getTick, listTicks } from "#persistence/queries/ticks.ts";
import { listInstructions } from "#persistence/queries/trades.ts";
import type { PageRequest } from "#persistence/queries/page.ts";
import type { OpenStore } from "../src/troupe.ts";

/** A strategy, and a cycle of it. */
const subjectRow = z.object({ strategyId: z.string(), composeId: z.string(), tickId: z.string() });

type Subject = z.infer<typeof subjectRow>;

export interface Read {
  name: string;
  /** The list of strategies: its bar is the design's. */
  isList: boolean;
  /** Null when there is nothing yet to ask about. */
  ask: ((call: number) => Promise<unknown>) | null;
}

type Ask = (subject: Subject) => Promise<unknown>;

const LONGEST_PAGE = 200;

/** Prepares every read on one open database of `strategies` strategies. */
export async function prepareReads(store: OpenStore, strategies: number): Promise<Read[]> {
  const { database } = store;
  const { strategies: service, definitions } = store.services;
  const subjects = await subjectsOf(store);
  const [subject] = subjects;
  const list = (name: string, filter: Parameters<typeof service.list>[0]): Read => ({
    name: `strategies.list ${name}`,
    isList: true,
    ask: () => service.list(filter),
  });
  const about = (name: string, ask: Ask): Read => ({
    name,
    isList: false,
    ask: subject === undefined ? null : (call) => ask(subjects[call % subjects.length] ?? subject),
  });
  const deep = await Promise.all(
    (["created", "return", "name"] as const).map(async (sort) => {
      const pages = (request: PageRequest) => service.list({ sort, ...request });
      return list(`by ${sort}, deep`, { sort, cursor: await middleOf(pages, strategies) });
    }),
  );
  const [newest] = (await service.list({ limit: 1 })).items;
  if (newest === undefined) throw new Error("expected strategies");
  const { userId, definitionId } = newest;
  const from = subject === undefined ? {} : { cursor: await middleOfCycles(subject) };
  return [
    list("by created", { sort: "created" }),
    list("by return", { sort: "return" }),
    list("by name", { sort: "name" }),
    ...deep,
    list("200 a page", { limit: 200 }),
    list("of one definition", { definitionId }),
    list("of one definition by name", { definitionId, sort: "name" }),
    list("of one user", { userId }),
    list("running ones", { status: "running" }),
    list("stopped ones (none)", { status: "stopped" }),
    list("search, many found", { search: "daily" }),
    list("search, few found", { search: `${Math.floor(strategies / 3)}` }),
    list("search, none found", { search: "nobody is called so" }),
    { name: "strategies.count", isList: false, ask: () => service.count() },
    about("strategies.get", ({ strategyId }) => service.get(strategyId)),
    about("cycles", ({ strategyId }) => service.cycles(strategyId)),
    about("cycles, deep", ({ strategyId }) => service.cycles(strategyId, from)),
    about("cycle", ({ strategyId, composeId }) => service.cycle(strategyId, composeId)),
    about("trades", ({ strategyId }) => service.trades(strategyId)),
    about("trades, deep", ({ strategyId }) => service.trades(strategyId, from)),
    about("instructions", ({ strategyId }) => listInstructions(database, strategyId)),
    about("holding", ({ strategyId }) => service.holding(strategyId)),
    about("portfolio summary", ({ strategyId }) => service.portfolioSummary(strategyId)),
    about("performance", ({ strategyId }) => service.performance(strategyId)),
    about("equity curve", ({ strategyId }) => service.equityCurve(strategyId)),
    about("ticks", () => listTicks(database)),
    about("ticks of one definition", () => listTicks(database, { definitionId })),
    about("tick", ({ tickId }) => getTick(database, tickId)),
    { name: "definitions", isList: false, ask: () => definitions.list() },
  ];

  async function middleOfCycles({ strategyId }: Subject): Promise<string> {
    const { cycleIndex } = await service.get(strategyId);
    return middleOf((request) => service.cycles(strategyId, request), cycleIndex);
  }
}

/** A cycle of each of many strategies, in no order that storage knows. */
async function subjectsOf({ database }: OpenStore): Promise<Subject[]> {
  const rows = await database.sql.rows(
    `select s.id as "strategyId", c.compose_id as "composeId", c.tick_id as "tickId"
     from strategies s
     cross join lateral (
       select compose_id, tick_id from strategy_compose_cycles
       where strategy_id = s.id order by md5(compose_id::text) limit 1
     ) c
     order by md5(s.id::text) limit 1000`,
  );
  return rows.map((row) => subjectRow.parse(row));
}

/** Where the page begins that stands in the middle of so many items. */
async function middleOf(
  pages: (request: PageRequest) => Promise<{ nextCursor: string | null }>,
  items: number,
): Promise<string> {
  const limit = Math.min(LONGEST_PAGE, Math.ceil(items / 2));
  let request: PageRequest = { limit };
  for (let passed = 0; passed < items / 2; passed += limit) {
    const { nextCursor } = await pages(request);
    if (nextCursor === null) throw new Error("expected a page after the middle");
    request = { limit, cursor: nextCursor };
  }
  return request.cursor ?? "";
}
