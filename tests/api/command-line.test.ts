import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { runProgram, type Ended } from "#support/processes.ts";
import { startEngine, type RunningEngine } from "#support/running-engine.ts";

const created = z.object({ strategyId: z.uuid(), name: z.string() });

describe("with a running engine", () => {
  let engine: RunningEngine;

  beforeAll(async () => {
    engine = await startEngine();
  });

  afterAll(() => engine[Symbol.asyncDispose]());

  test("a strategy is created, listed, shown, stopped and resumed", async () => {
    const made = await troupe(
      "strategies",
      "create",
      "multi_agent_btc_daily",
      "--name",
      "Shelly",
      "--balance",
      "2500",
      "--param",
      "buy_threshold=60",
      "--tag",
      "shell",
      "--json",
    );
    expect(made.code).toBe(0);
    const { strategyId } = created.parse(JSON.parse(made.stdout));

    const listed = await troupe("strategies", "list", "--search", "shelly");
    expect(listed.stdout).toMatch(/ID\s+NAME\s+DEFINITION/);
    expect(listed.stdout).toContain(strategyId.slice(0, 8));

    const shown = await troupe("strategies", "show", strategyId.slice(0, 8), "--json");
    expect(JSON.parse(shown.stdout)).toMatchObject({
      strategy: { id: strategyId, initialBalance: "2500", params: { buy_threshold: 60 } },
    });

    const stopped = await troupe("strategies", "stop", strategyId, "--json");
    expect(JSON.parse(stopped.stdout)).toMatchObject({ outcome: "requested" });
    const { get } = engine.client.strategies;
    await expect
      .poll(() => get.query({ strategyId }), { timeout: 20_000 })
      .toMatchObject({ state: "stopped" });
    const resumed = await troupe("strategies", "resume", strategyId, "--json");
    expect(JSON.parse(resumed.stdout)).toMatchObject({ desiredStatus: "running" });

    const cycles = await troupe("strategies", "cycles", strategyId, "--json", "--limit", "1");
    expect(JSON.parse(cycles.stdout)).toMatchObject({ items: expect.any(Array) });
    expect((await troupe("strategies", "trades", strategyId)).code).toBe(0);
  });

  test("a stored cycle is decided again: identical ends with 0, different with 1 and says where", async () => {
    const { create, cycles } = engine.client.strategies;
    const { strategyId } = await create.mutate({
      definition: "multi_agent_btc_daily",
      initialBalance: "1000",
    });
    const first = async () => (await cycles.query({ strategyId })).items.at(-1);
    await expect.poll(first, { timeout: 20_000 }).toBeDefined();
    const composeId = (await first())?.composeId ?? "";
    expect((await troupe("strategies", "cycles", strategyId)).stdout).toContain(composeId);

    const same = await troupe("replay-decision", composeId);
    expect(same).toMatchObject({ code: 0, stdout: expect.stringMatching(/^identical: cycle 1 /) });

    await engine.troupe.database.sql.run(
      `update strategy_compose_cycles set decision = decision || '{"signal": "SHORT"}'
       where compose_id = $1`,
      [composeId],
    );
    const changed = await troupe("replay-decision", composeId);
    expect(changed).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^different: cycle 1 .*\n {2}decision\.signal: stored "SHORT"/),
    });
    const json = await troupe("replay-decision", composeId, "--json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      identical: false,
      differences: [{ path: "decision.signal", stored: "SHORT" }],
    });
  });

  test("a cycle that does not exist ends with 1, what is no id at all with 2", async () => {
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect(await troupe("replay-decision", unknown)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `troupe: no cycle ${unknown} (CYCLE_NOT_FOUND)\n`,
    });
    expect(await troupe("replay-decision", "the-first")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("composeId"),
    });
  });

  test("a prune tells what it removed, as text and as JSON, and counts first when asked", async () => {
    const counted = await troupe("prune", "--keep", "90d", "--dry-run");
    expect(counted).toMatchObject({ code: 0, stdout: expect.stringContaining("would remove") });
    const told = await troupe("prune", "--keep", "90d", "--keep-hourly", "52w", "--json");
    expect(told.code).toBe(0);
    expect(JSON.parse(told.stdout)).toMatchObject({
      phase: "done",
      dryRun: false,
      removed: { cycles: expect.any(Number), ticks: expect.any(Number) },
      sizes: { after: { ticks: expect.any(Number) } },
    });
  });

  test("a prune that would keep nothing is refused by the name of the field", async () => {
    const { code, stderr } = await troupe("prune", "--keep", "0d", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: "INVALID_INPUT", fields: [{ field: "keep" }] },
    });
  });

  test("templates are listed", async () => {
    const { stdout } = await troupe("definitions", "list");
    expect(stdout).toContain("multi_agent_btc_daily");
    expect(stdout).toMatch(/STATE\s+LAST TICK\s+SKIPPED/);
  });

  test("a template is paused, shown so, and resumed", async () => {
    const name = "momentum_regime_btc_daily";
    const paused = await troupe("definitions", "pause", name);
    expect(paused).toMatchObject({ code: 0, stdout: `pause is stored; ${name} is paused\n` });
    expect((await troupe("definitions", "list")).stdout).toMatch(new RegExp(`${name}.* paused `));
    const again = await troupe("definitions", "pause", name);
    expect(again.stdout).toBe(`nothing to do: ${name} is paused\n`);
    const resumed = await troupe("definitions", "resume", name, "--json");
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      outcome: "requested",
      definition: { name, pausedAt: null },
    });
    expect(await troupe("definitions", "pause", "nobody")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("DEFINITION_NOT_FOUND"),
    });
  });

  test("a wrong param names its field and ends with 2, as text and as JSON", async () => {
    const wrong = ["strategies", "create", "multi_agent_btc_daily", "--param", "buy_threshold=no"];
    const text = await troupe(...wrong);
    expect(text.code).toBe(2);
    expect(text.stderr).toContain("buy_threshold");
    expect(text.stderr).not.toContain("    at ");
    const json = await troupe(...wrong, "--json");
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: "INVALID_PARAMS" } });
  });

  test("an id that fits nothing ends with 1", async () => {
    const { code, stderr } = await troupe("strategies", "show", "ffffffff");
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no strategy whose id begins with ffffffff"),
    });
  });

  function troupe(...given: string[]): Promise<Ended> {
    return runProgram("src/cli.ts", given, { TROUPE_URL: engine.url });
  }
});

describe("without one", () => {
  const nowhere = { TROUPE_URL: "http://127.0.0.1:9" };

  test("a command about strategies says how to start an engine", async () => {
    const { code, stderr } = await runProgram("src/cli.ts", ["strategies", "list"], nowhere);
    expect(code).toBe(1);
    expect(stderr).toContain("no engine answers at http://127.0.0.1:9");
    expect(stderr).toContain("npm start");
    expect(stderr).not.toContain("    at ");
  });

  test("a wrong command ends with 2, and in JSON for whoever asked for JSON", async () => {
    expect((await runProgram("src/cli.ts", ["strategies", "dance"])).code).toBe(2);
    const { code, stderr } = await runProgram("src/cli.ts", ["strategies", "stop", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "USAGE" } });
  });

  test.each([
    [[]],
    [["strategies"]],
    [["strategies", "create"]],
    [["start"]],
    [["prune"]],
    [["doctor"]],
  ])("help is there for %j", async (given) => {
    const { code, stdout } = await runProgram("src/cli.ts", [...given, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: npm run troupe --");
  });

  test("the check of the migrations needs no database", async () => {
    const { code, stdout } = await runProgram("src/cli.ts", ["migrate", "--check", "--json"]);
    expect({ code, found: JSON.parse(stdout) }).toEqual({
      code: 0,
      found: { ok: true, found: [] },
    });
  });
});
