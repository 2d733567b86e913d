import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { startEngine, type LogLine, type RunningEngine } from "#support/running-engine.ts";

const DAILY = "multi_agent_btc_daily";
const HALF = "half \uD83D of a pair";
const NUL = "nul \0 inside";

const refusal = z.object({
  error: z.object({
    message: z.string(),
    data: z.object({
      domainCode: z.string().nullable(),
      fieldErrors: z.array(z.object({ field: z.string(), message: z.string() })),
      requestId: z.uuid(),
    }),
  }),
});

let engine: RunningEngine;
let strategyId: string;
const log: LogLine[] = [];

beforeAll(async () => {
  engine = await startEngine({ speed: 1, onLog: (line) => log.push(line) });
  ({ strategyId } = await engine.client.strategies.create.mutate({
    definition: DAILY,
    initialBalance: "1000",
  }));
});

afterAll(() => engine[Symbol.asyncDispose]());

describe("a text that cannot be stored is refused with its field", () => {
  const id = () => strategyId;
  test.each([
    ["create", "name", () => ({ definition: DAILY, initialBalance: "1" })],
    ["create", "description", () => ({ definition: DAILY, initialBalance: "1" })],
    ["create", "definition", () => ({ initialBalance: "1" })],
    ["create", "initialBalance", () => ({ definition: DAILY })],
    ["create", "strategyId", () => ({ definition: DAILY, initialBalance: "1" })],
    ["update", "name", () => ({ strategyId: id() })],
    ["update", "description", () => ({ strategyId: id() })],
    ["stop", "reason", () => ({ strategyId: id() })],
    ["stop", "commandId", () => ({ strategyId: id() })],
    ["archive", "strategyId", () => ({})],
  ])("%s: %s", async (procedure, field, others) => {
    for (const text of [HALF, NUL]) {
      const answer = await post(`strategies.${procedure}`, { ...others(), [field]: text });
      expect(answer).toMatchObject({ status: 400, fields: [field] });
    }
  });

  test.each([
    ["strategies.list", "cursor"],
    ["strategies.list", "search"],
    ["strategies.cycles", "cursor"],
    ["strategies.trades", "cursor"],
    ["definitions.get", "definition"],
  ])("%s: %s", async (procedure, field) => {
    const others = /cycles|trades/.test(procedure) ? { strategyId } : {};
    for (const text of [HALF, NUL]) {
      const answer = await get(procedure, { ...others, [field]: text });
      expect(answer).toMatchObject({ status: 400, fields: [field] });
    }
  });

  test("in params, and in their names", async () => {
    const request = { definition: DAILY, initialBalance: "1" };
    const value = await post("strategies.create", { ...request, params: { note: NUL } });
    expect(value).toMatchObject({ status: 400, fields: ["params.note"] });
    const name = await post("strategies.create", { ...request, params: { [HALF]: 1 } });
    expect(name.status).toBe(400);
    expect(name.fields[0]).toMatch(/^params\."half \\ud83d/);
  });

  test("in a list, with its place", async () => {
    const request = { definition: DAILY, initialBalance: "1", tags: ["fine", HALF] };
    expect(await post("strategies.create", request)).toMatchObject({ fields: ["tags.1"] });
  });

  test("a name with an escape sequence", async () => {
    const answer = await post("strategies.update", { strategyId, name: "\u001B[31mred" });
    expect(answer).toMatchObject({ status: 400, fields: ["name"] });
    expect(answer.message).not.toMatch(/\p{Cc}/u);
  });
});

describe("a cursor", () => {
  test("of another list, or of the same in another order, is refused with its field", async () => {
    await engine.client.strategies.create.mutate({ definition: DAILY, initialBalance: "2500" });
    const byTime = await engine.client.strategies.list.query({ limit: 1 });
    const cursor = byTime.nextCursor ?? "";
    const second = await engine.client.strategies.list.query({ limit: 1, cursor });
    expect(second.items[0]?.id).not.toBe(byTime.items[0]?.id);
    for (const [procedure, input] of [
      ["strategies.list", { sort: "name" }],
      ["strategies.list", { sort: "return" }],
      ["strategies.cycles", { strategyId }],
      ["strategies.trades", { strategyId }],
    ] as const) {
      const answer = await get(procedure, { ...input, cursor });
      expect(answer).toMatchObject({ status: 400, fields: ["cursor"] });
    }
  });

  test.each([
    ["strategies.created", "2026-02-30 00:00:00+00", "00000000-0000-4000-8000-000000000000"],
    ["strategies.created", "2026-02-03 00:00:00+00", "nobody"],
    ["strategies.created", "x\0", "00000000-0000-4000-8000-000000000000"],
    ["strategies.created", 1, 2],
  ])("that is made up is refused: %j", async (...key) => {
    const cursor = Buffer.from(JSON.stringify(key)).toString("base64url");
    expect(await get("strategies.list", { cursor })).toMatchObject({
      status: 400,
      fields: ["cursor"],
    });
  });
});

describe("an initial balance", () => {
  test.each([
    "99999999999999999999",
    "9".repeat(21),
    "9".repeat(300),
    "4e-19",
    "0.0000000000000000004",
    "1e3",
  ])("of %s is refused with its field and the bounds", async (initialBalance) => {
    const answer = await post("strategies.create", { definition: DAILY, initialBalance });
    expect(answer).toMatchObject({ status: 400, fields: ["initialBalance"] });
    expect(answer.message).toContain("up to 1000000000000");
    expect(answer.message.length).toBeLessThan(400);
  });

  test("with more places than are stored is rounded once, and the answer says to what", async () => {
    const created = await engine.client.strategies.create.mutate({
      definition: DAILY,
      initialBalance: "1000.0000000000000000005",
    });
    expect(created.initialBalance).toBe("1000");
    const rows = await engine.troupe.database.sql.rows(
      `select s.initial_balance::text as stored, a.snapshot::jsonb #>> '{context,ledger,initialBalance}' as ledger
       from strategies s join actor_snapshots a on a.strategy_id = s.id where s.id = $1`,
      [created.strategyId],
    );
    expect(rows).toEqual([{ stored: "1000.000000000000000000", ledger: "1000" }]);
  });
});

describe("params", () => {
  test("of 15 000 unknown names are refused in few words", async () => {
    const params = Object.fromEntries(Array.from({ length: 15_000 }, (_, n) => [`p${n}`, n]));
    const answer = await post("strategies.create", {
      definition: DAILY,
      initialBalance: "1",
      params,
    });
    expect(answer.status).toBe(400);
    expect(answer.fields).toContain("p0");
    expect(answer.message).toContain("and 14 990 more");
    expect(answer.size).toBeLessThan(5_000);
  });

  test("nested without end are refused with their field", async () => {
    const params = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
    const body = `{"definition":"${DAILY}","initialBalance":"1","params":${params}}`;
    const answer = await exchange("strategies.create", { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(answer.fields[0]).toMatch(/^params\.a/);
    expect(answer.message).toContain("20 levels");
  });
});

describe("an id in upper case", () => {
  test("is the same strategy to every command, and to a subscription", async () => {
    const wanted = randomUUID();
    const created = await engine.client.strategies.create.mutate({
      definition: DAILY,
      initialBalance: "2500",
      strategyId: wanted.toUpperCase(),
    });
    expect(created.strategyId).toBe(wanted);
    const upper = { strategyId: wanted.toUpperCase() };
    const states: string[] = [];
    const subscription = engine.client.strategies.onChange.subscribe(
      { strategyIds: [upper.strategyId] },
      { onData: ({ data }) => states.push(...data.map(({ state }) => state)) },
    );
    await expect.poll(() => states.length, { timeout: 20_000 }).toBeGreaterThan(0);
    await engine.client.strategies.stop.mutate(upper);
    await expect
      .poll(() => engine.client.strategies.get.query(upper), { timeout: 20_000 })
      .toMatchObject({ id: wanted, state: "stopped", pending: false });
    await expect.poll(() => states.at(-1), { timeout: 20_000 }).toBe("stopped");
    subscription.unsubscribe();
    expect(await engine.client.strategies.archive.mutate(upper)).toMatchObject({ id: wanted });
    const { items } = await engine.client.strategies.list.query({ limit: 200 });
    expect(items.map(({ id }) => id)).not.toContain(wanted);
  });

  test("names a template too", async () => {
    const { id, params } = await engine.client.definitions.get.query({ definition: DAILY });
    const found = await engine.client.definitions.get.query({ definition: id.toUpperCase() });
    expect(found.name).toBe(DAILY);
    expect(params).toContainEqual({
      name: "buy_threshold",
      description: "Conviction from which to buy",
      type: "number",
      default: 50,
      minimum: 0,
      maximum: 100,
    });
  });
});

test("a strategy that runs cannot be archived", async () => {
  const answer = await post("strategies.archive", { strategyId });
  expect(answer).toMatchObject({ status: 412, code: "INVALID_TRANSITION" });
});

test("a template that is not there is refused with the names of those that are", async () => {
  const answer = await get("definitions.get", { definition: "moonshot" });
  expect(answer).toMatchObject({ status: 404, fields: ["definition"] });
  expect(answer.message).toContain(DAILY);
});

test("a value out of its bounds is refused in our own words", async () => {
  const answer = await get("strategies.list", { limit: 1000, sort: "luck" });
  expect(answer.status).toBe(400);
  expect(answer.message).toContain("limit: expected a number of at most 200, was 1000");
  expect(answer.message).toContain('sort: expected one of created, return, name, was "luck"');
});

test("an internal error is logged with message, stack and the request id of the answer", async () => {
  await engine.troupe.database.sql.run("alter table strategy_details rename to hidden_details");
  const answer = await get("strategies.trades", { strategyId });
  await engine.troupe.database.sql.run("alter table hidden_details rename to strategy_details");
  expect(answer).toMatchObject({ status: 500, code: "INTERNAL" });
  const line = log.find(({ requestId }) => requestId === answer.requestId);
  expect(line).toMatchObject({
    path: "strategies.trades",
    error: { message: expect.any(String), stack: expect.stringContaining("    at ") },
  });
});

interface Answer {
  status: number;
  message: string;
  code: string | null;
  fields: string[];
  requestId: string | null;
  size: number;
}

function post(procedure: string, input: object): Promise<Answer> {
  return exchange(procedure, { method: "POST", body: JSON.stringify(input) });
}

function get(procedure: string, input: object): Promise<Answer> {
  return exchange(`${procedure}?input=${encodeURIComponent(JSON.stringify(input))}`, {});
}

async function exchange(path: string, options: RequestInit): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${engine.url}/trpc/${path}`, { ...options, headers });
  const text = await response.text();
  const { data, success } = refusal.safeParse(JSON.parse(text));
  const { message = "", data: detail } = success ? data.error : { data: null };
  return {
    status: response.status,
    message,
    code: detail?.domainCode ?? null,
    fields: detail?.fieldErrors.map(({ field }) => field) ?? [],
    requestId: detail?.requestId ?? null,
    size: text.length,
  };
}
