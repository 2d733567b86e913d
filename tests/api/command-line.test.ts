import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { runProgram, type Ended } from "#support/processes.ts";
import { startEngine, type RunningEngine } from "#support/running-engine.ts";

const created = z.object({ strategyId: z.uuid(), name: z.string() });

describe("with a running engine", () => {
  let engine: RunningEngine;

  beforeAll(async () => {
    engine = await startEngine({ speed: 4 });
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

  test("a cycle that does not exist ends with 2, and so does what is no id at all", async () => {
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect(await troupe("replay-decision", unknown)).toMatchObject({
      code: 2,
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
      code: 2,
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

  test("an id or a template that is not there ends with 2, and those that are there are listed", async () => {
    const { strategyId } = await create("Known");
    for (const id of ["ffffffff", "ffffffff-0000-4000-8000-000000000000"]) {
      const { code, stderr } = await troupe("strategies", "show", id);
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining(id) });
      expect(stderr).toContain(strategyId);
    }
    const template = await troupe("strategies", "create", "moonshot", "--json");
    expect(template.code).toBe(2);
    expect(JSON.parse(template.stderr)).toMatchObject({
      error: {
        code: "DEFINITION_NOT_FOUND",
        message: expect.stringContaining("multi_agent_btc_daily"),
        fields: [{ field: "definition" }],
      },
    });
  });

  test("a strategy is edited, and archived once it is stopped", async () => {
    const { strategyId } = await create("Editable");
    const short = strategyId.slice(0, 8).toUpperCase();
    const edit = ["strategies", "edit", short, "--name", "Edited", "--param", "buy_threshold=61"];
    expect(await troupe(...edit)).toMatchObject({
      code: 0,
      stdout: "Edited is stored, params version 2\n",
    });
    const { get, stop } = engine.client.strategies;
    const { params } = await get.query({ strategyId });
    expect(params).toMatchObject({ buy_threshold: 61, full_sell_threshold: 45 });
    expect((await troupe("strategies", "edit", short)).code).toBe(2);
    expect(await troupe("strategies", "archive", short)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("must be stopped"),
    });
    await stop.mutate({ strategyId });
    await expect
      .poll(() => get.query({ strategyId }), { timeout: 20_000 })
      .toMatchObject({ state: "stopped" });
    expect((await troupe("strategies", "archive", short)).stdout).toContain("archived Edited");
    expect((await troupe("strategies", "list")).stdout).not.toContain("Edited");
  });

  test("a template is shown with the params of its strategies", async () => {
    const { stdout } = await troupe("definitions", "show", "momentum_regime_btc_daily");
    expect(stdout).toMatch(/max_leverage +3 +number from 1 to 20 +Highest leverage/);
  });

  test("one param given in two ways is refused, whichever would have won", async () => {
    const both = ["--param", "buy_threshold=60", "--params", "{}"];
    const { code, stderr } = await troupe("strategies", "create", "multi_agent_btc_daily", ...both);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("was both"),
    });
  });

  test("what is wrong is said in our own words, and no escape sequence is repeated", async () => {
    const long = await troupe("strategies", "edit", await idOf("Wordy"), "--name", "x".repeat(300));
    expect(long.code).toBe(2);
    expect(long.stderr).toContain("name: expected at most 200 characters");
    const evil = await troupe("strategies", "create", "\u001B[31mred\u009B2J");
    expect(evil.stderr.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    const command = await troupe("strategies", "\u001B[31mred");
    expect(command.stderr.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect((await troupe("strategies", "list", "--limit", "1e3")).code).toBe(2);
  });

  test("a balance that had to be rounded is said", async () => {
    const balance = ["--balance", "1000.0000000000000000005"];
    const made = await troupe("strategies", "create", "multi_agent_btc_daily", ...balance);
    expect(made.stdout).toContain("initial balance rounded to 1000\n");
  });

  test("an address with a slash at its end is the same address", async () => {
    const { code } = await runProgram("src/cli.ts", ["definitions", "list"], {
      TROUPE_URL: `${engine.url}/`,
    });
    expect(code).toBe(0);
  });

  function create(name: string) {
    return engine.client.strategies.create.mutate({
      definition: "multi_agent_btc_daily",
      initialBalance: "1000",
      name,
    });
  }

  async function idOf(name: string): Promise<string> {
    return (await create(name)).strategyId;
  }

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
    [["strategies", "edit"]],
    [["definitions", "show"]],
    [["start"]],
    [["prune"]],
    [["doctor"]],
  ])("help is there for %j", async (given) => {
    const { code, stdout } = await runProgram("src/cli.ts", [...given, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: npm run troupe --");
  });

  test("the help of create names the params with defaults and bounds", async () => {
    const { stdout } = await runProgram("src/cli.ts", ["strategies", "create", "--help"]);
    expect(stdout).toMatch(/buy_threshold +50, number from 0 to 100 +Conviction from which to buy/);
  });

  test("the check of the migrations needs no database", async () => {
    const { code, stdout } = await runProgram("src/cli.ts", ["migrate", "--check", "--json"]);
    expect({ code, found: JSON.parse(stdout) }).toEqual({
      code: 0,
      found: { ok: true, found: [] },
    });
  });
});
