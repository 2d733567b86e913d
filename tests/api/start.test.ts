import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { SETTINGS } from "#config/config.ts";
import { runProgram, startProgram, type RunningProgram } from "#support/processes.ts";
import { connect, temporaryFolder } from "#support/running-engine.ts";

const READY_MS = 40_000;

describe("npm start", () => {
  test("it plays, prints plain lines to a pipe, stops on SIGTERM, and runs on at the next start", async () => {
    await using resources = new AsyncDisposableStack();
    const settings = await settingsIn(resources);
    await using first = startProgram("src/main.ts", [], settings);
    const url = await urlOf(first);
    await expect.poll(() => first.stdout, { timeout: READY_MS }).toMatch(/\d+ cycles/);
    expect(first.stdout).toContain("created 12 demo strategies");
    expect(first.stdout).not.toContain("\u001B");
    const running = await connect(url, resources).strategies.list.query();
    expect(running.items).toHaveLength(12);

    const askedAt = Date.now();
    first.kill("SIGTERM");
    const { code, stderr } = await first.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(Date.now() - askedAt).toBeLessThan(10_000);

    await using second = startProgram("src/main.ts", [], settings);
    const client = connect(await urlOf(second), resources);
    await expect
      .poll(() => second.stdout, { timeout: READY_MS })
      .toContain("resumed 12 that a shutdown had interrupted");
    expect(second.stdout).not.toContain("demo strategies");
    const { items } = await client.strategies.list.query();
    expect(items.map(({ state }) => state)).toEqual(items.map(() => "running"));
    const before = new Map(running.items.map(({ id, cycleIndex }) => [id, cycleIndex]));
    for (const { id, cycleIndex } of items) {
      expect(cycleIndex).toBeGreaterThanOrEqual(before.get(id) ?? Number.POSITIVE_INFINITY);
    }
    second.kill("SIGINT");
    expect((await second.ended).code).toBe(0);
  });

  test("as JSON every line is an object, and the log tells start, recovery and stop", async () => {
    await using resources = new AsyncDisposableStack();
    const settings = await settingsIn(resources);
    await using program = startProgram("src/main.ts", ["--json", "--no-demo"], settings);
    await expect.poll(() => program.stdout, { timeout: READY_MS }).toContain('"listening"');
    const url = /"url":"([^"]+)"/.exec(program.stdout)?.[1] ?? "";
    const { create } = connect(url, resources).strategies;
    await create.mutate({ definition: "multi_agent_btc_daily", initialBalance: "10000" });
    program.kill("SIGTERM");
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    for (const told of [
      /"pid":\d+,.*"msg":"engine starts"/,
      /"restored":0.*"msg":"engine runs: restored 0 strategies/,
      /"command":"strategies.create".*"msg":"command strategies.create"/,
      /"msg":"engine stops: a planned shutdown"/,
      /"msg":"engine stopped, nothing sold"/,
    ]) {
      expect(stdout).toMatch(told);
    }
    const lines = stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(z.array(z.object({})).safeParse(lines).success).toBe(true);
    expect(stdout).not.toContain("demo");
  });

  test("whoever started it being killed, it goes on and says as which process", async () => {
    await using resources = new AsyncDisposableStack();
    const settings = await settingsIn(resources);
    const command = `"${process.execPath}" src/main.ts --no-demo & wait`;
    const parent = spawn("sh", ["-c", command], {
      env: { PATH: process.env["PATH"], ...settings },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let stdout = "";
    parent.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    await expect.poll(() => stdout, { timeout: READY_MS }).toContain("API at");
    const pid = Number(/engine process (\d+)/.exec(stdout)?.[1]);
    resources.defer(() => void process.kill(pid, "SIGKILL"));
    parent.kill("SIGKILL");
    await expect
      .poll(() => stdout, { timeout: READY_MS })
      .toContain(`the engine goes on as process ${pid}`);
  });

  test("the example of a typed client works as it is", async () => {
    await using resources = new AsyncDisposableStack();
    const settings = await settingsIn(resources);
    await using program = startProgram("src/main.ts", ["--no-demo"], settings);
    const url = await urlOf(program);
    const { code, stderr, stdout } = await runProgram("examples/typed-client.ts", [], {
      TROUPE_URL: url,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^multi_agent_btc_daily/m);
    expect(stdout).toMatch(/running cycle \d+/);
    expect(stdout.trim()).toMatch(/stopped cycle \d+ [\d.]+$/);
  });

  test("a second one on the same folder says who has it, and ends with 1", async () => {
    await using resources = new AsyncDisposableStack();
    const settings = await settingsIn(resources);
    await using program = startProgram("src/main.ts", ["--no-demo"], settings);
    await urlOf(program);
    const { code, stderr } = await runProgram("src/main.ts", [], settings);
    expect(code).toBe(1);
    expect(stderr).toContain("is taken by process");
    expect(stderr).toContain("TROUPE_DATA_DIR");
    expect(stderr).not.toContain("    at ");
    const doctor = await runProgram("src/cli.ts", ["doctor"], settings);
    expect(doctor.stdout).toContain("is taken by process");
  });
});

describe("what cannot start", () => {
  test.each([
    ["a port that is no number", { TROUPE_PORT: "no" }, "TROUPE_PORT"],
    [
      "a heartbeat too short",
      { TROUPE_HEARTBEAT_SECONDS: "1" },
      "TROUPE_HEARTBEAT_SECONDS: expected a whole number from 2 to 300, in digits",
    ],
    ["an address others can reach", { TROUPE_HOST: "0.0.0.0" }, "loopback"],
    ["a speed that is none", { TROUPE_REPLAY_SPEED: "fast" }, "TROUPE_REPLAY_SPEED"],
    [
      "a data folder that is a file",
      { TROUPE_DATA_DIR: "/dev/null" },
      "it is a file, not a folder",
    ],
    ["a data folder below a file", { TROUPE_DATA_DIR: "/dev/null/x" }, "ENOTDIR"],
    ["a port in exponents", { TROUPE_PORT: "1e3" }, "TROUPE_PORT: expected a whole number"],
    [
      "a database address without a host",
      { DATABASE_URL: "postgres://" },
      "DATABASE_URL: expected",
    ],
    ["a candle file that is not there", { TROUPE_REPLAY_FILE: "nope.csv" }, "nope.csv"],
  ])("%s is refused with what is wrong, and ends with 2", async (_name, wrong, expected) => {
    await using resources = new AsyncDisposableStack();
    const settings = { ...(await settingsIn(resources)), ...wrong };
    const { code, stderr } = await runProgram("src/main.ts", [], settings);
    expect(code).toBe(2);
    expect(stderr).toContain(expected);
    expect(stderr).not.toContain("    at ");
  });

  test("a port that is taken is told before anything plays, and ends with 2", async () => {
    await using resources = new AsyncDisposableStack();
    const squatter = createServer().listen(0, "127.0.0.1");
    resources.defer(() => void squatter.close());
    await new Promise((resolve) => {
      squatter.on("listening", resolve);
    });
    const address = z.object({ port: z.number() }).parse(squatter.address());
    const settings = { ...(await settingsIn(resources)), TROUPE_PORT: String(address.port) };
    const { code, stderr } = await runProgram("src/main.ts", [], settings);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("taken") });
  });
});

test("help lists every setting", async () => {
  const { code, stdout } = await runProgram("src/main.ts", ["--help"]);
  expect(code).toBe(0);
  for (const name of Object.keys(SETTINGS)) expect(stdout).toContain(name);
});

async function settingsIn(resources: AsyncDisposableStack) {
  return {
    TROUPE_DATA_DIR: await temporaryFolder(resources),
    TROUPE_PORT: "0",
    TROUPE_REPLAY_SPEED: "20",
  };
}

async function urlOf(program: RunningProgram): Promise<string> {
  await expect.poll(() => program.stdout, { timeout: READY_MS }).toMatch(/API at \S+,/);
  return /API at (\S+),/.exec(program.stdout)?.[1] ?? "";
}
