import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { createDecisionRegistry } from "#decisions/registry.ts";
import { createEngineStore } from "#persistence/engine-store.ts";
import { text } from "#persistence/rows.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { replayDecision, type DecisionReplayDependencies } from "#services/decision-replay.ts";
import { seedDemo } from "#services/demo.ts";
import { startEngine, temporaryFolder, type RunningEngine } from "#support/running-engine.ts";

const UNREADABLE = { buy_threshold: "high", base_risk_pct: "low" };

/** Cycles before the stops, and twice as many at the end. */
const CYCLES = 20;

/** Both templates that tick by day, with the demo's cast, and both that tick by minutes. */
const RUNS = [
  { says: "the demo, day by day", of: /_daily$/, recording: busyDays },
  { says: "by minutes", of: /_v1$/, recording: quarters },
];

describe.each(RUNS)("every cycle of a run: $says", ({ of, recording }) => {
  const resources = new AsyncDisposableStack();
  const definitions = bundledDefinitions.filter(({ name }) => of.test(name));
  let running: RunningEngine;
  let dependencies: DecisionReplayDependencies;

  beforeAll(async () => {
    running = resources.use(
      await startEngine({ speed: 60, replayFile: await recording(resources) }),
    );
    const { database, queue } = running.troupe;
    const store = createEngineStore(database, queue);
    const inputs = new Map<string, ReturnType<typeof store.tickInput>>();
    dependencies = {
      database,
      // Read once per tick, not once per cycle.
      ticks: {
        tickInput: (tickId) => {
          const input = inputs.get(tickId) ?? store.tickInput(tickId);
          inputs.set(tickId, input);
          return input;
        },
      },
      decisions: createDecisionRegistry(),
      channels: createChannelRegistry(),
    };
    await populate();
    await failpoint(CYCLES);
    await stopAndResumeAll();
    await failOnce();
    await failpoint(2 * CYCLES);
    await running.troupe.engine.stop("enough to decide again");
  }, 120_000);
  afterAll(() => resources.disposeAsync());

  test("there are cycles of every kind", async () => {
    const rows = await dependencies.database.sql.rows(kinds);
    const expected = definitions.flatMap(({ name }) => [
      `${name} decided`,
      `${name} failed`,
      `${name} stop`,
      // A few days by minutes are too short for a stop loss or a take profit to be reached.
      ...(name === "momentum_regime_btc_daily" ? [`${name} protected`] : []),
    ]);
    expect(rows.map((row) => text(row, "kind"))).toEqual(expect.arrayContaining(expected));
  });

  test("is decided again to the same decision and the same instructions (I15)", async () => {
    const rows = await dependencies.database.sql.rows(
      "select compose_id from strategy_compose_cycles",
    );
    const again = await Promise.all(
      rows.map((row) => replayDecision(dependencies, text(row, "compose_id"))),
    );
    expect(again.filter(({ identical }) => !identical)).toEqual([]);
  });

  test.each([
    {
      kind: "a decision",
      column: "quantity",
      where: `position = 0 and compose_id in (${composeIds("tick")})`,
    },
    {
      kind: "a fill",
      column: "average_price",
      where: `position = 0 and compose_id in (${composeIds("tick")})`,
    },
    { kind: "a stop", column: "quantity", where: `compose_id in (${composeIds("stop")})` },
  ])("shows by path what differs when the record of $kind was changed", async (changed) => {
    const path = changed.column.replace("_p", "P");
    const { sql } = dependencies.database;
    const [row = {}] = await sql.rows(
      `select compose_id, instruction_id, ${changed.column}::text as value
       from strategy_instructions where ${changed.where} limit 1`,
    );
    const update = `update strategy_instructions set ${changed.column} = $2 where instruction_id = $1`;
    await sql.run(update, [text(row, "instruction_id"), "7"]);
    const replay = await replayDecision(dependencies, text(row, "compose_id"));
    expect(replay.identical).toBe(false);
    expect(replay.differences).toEqual([
      expect.objectContaining({ path: `instructions.0.${path}`, stored: "7" }),
    ]);
    await sql.run(update, [text(row, "instruction_id"), text(row, "value")]);
  });

  test("shows that a failure no longer fails once its cause is mended", async () => {
    const { sql } = dependencies.database;
    const [row = {}] = await sql.rows(`${composeIds("tick")} and status = 'failed' limit 1`);
    const [good = {}] = await sql.rows(
      `select p.params::text as params from strategy_param_versions p
       join strategy_compose_cycles c on c.strategy_id = p.strategy_id
       where c.compose_id = $1 and p.version = 1`,
      [text(row, "compose_id")],
    );
    await sql.run("update strategy_param_versions set params = $1::jsonb where version = 2", [
      text(good, "params"),
    ]);
    const { differences } = await replayDecision(dependencies, text(row, "compose_id"));
    expect(differences).toContainEqual({ path: "status", stored: "failed", again: "completed" });
  });

  test("an id that no cycle has is told as such", async () => {
    const composeId = "00000000-0000-4000-8000-000000000000";
    await expect(replayDecision(dependencies, composeId)).rejects.toMatchObject({
      code: "CYCLE_NOT_FOUND",
      message: `no cycle ${composeId}`,
    });
  });

  async function populate(): Promise<void> {
    const { services } = running.troupe;
    const { id: userId, email: actor } = await services.localUser();
    await seedDemo(services.strategies, definitions, { userId, actor });
    // The demo's cast plays by day only.
    for (const definition of definitions.filter(({ name }) => name.endsWith("_v1"))) {
      const request = { name: "By the book", initialBalance: "10000" };
      await services.strategies.createAll(definition, { userId, actor }, [request]);
    }
  }

  async function failpoint(cycleIndex: number): Promise<void> {
    const { live } = running.troupe.engine;
    await vi.waitFor(
      () => expect(live.all().every((view) => view.cycleIndex >= cycleIndex)).toBe(true),
      { timeout: 60_000, interval: 50 },
    );
  }

  async function stopAndResumeAll(): Promise<void> {
    const { engine, services } = running.troupe;
    // A strategy without a position leaves no cycle when it stops, so each is stopped while it has one.
    const waiting = new Set(definitions.map(({ id }) => id));
    await vi.waitFor(
      async () => {
        const held = await dependencies.database.sql.rows(
          `select s.id, s.strategy_definition_id as definition from strategies s
           where s.desired_status = 'running' and exists (
             select 1 from strategy_holdings h
             where h.strategy_id = s.id and h.cycle_index = s.cycle_index)`,
        );
        for (const row of held) {
          if (!waiting.delete(text(row, "definition"))) continue;
          const request = { closePositions: true, reason: "for a while", actor: "test" };
          await services.strategies.stop(text(row, "id"), request);
        }
        expect([...waiting]).toEqual([]);
      },
      { timeout: 60_000, interval: 5 },
    );
    const stopped = await dependencies.database.sql.rows(
      "select id from strategies where desired_status = 'stopped'",
    );
    for (const row of stopped) {
      const isStopped = () => expect(engine.live.get(text(row, "id"))?.state).toBe("stopped");
      await vi.waitFor(isStopped, { timeout: 20_000, interval: 5 });
      await services.strategies.resume(text(row, "id"), { actor: "test" });
    }
  }

  /** Params as an older build might have left them, which this one cannot read; then good ones again. */
  async function failOnce(): Promise<void> {
    await editAll(2, JSON.stringify(UNREADABLE));
    await vi.waitFor(
      async () => {
        const rows = await dependencies.database.sql.rows(
          "select distinct strategy_id from strategy_compose_cycles where status = 'failed'",
        );
        expect(rows).toHaveLength(running.troupe.engine.live.all().length);
      },
      { timeout: 60_000, interval: 20 },
    );
    await editAll(3, null);
  }

  async function editAll(version: number, params: string | null): Promise<void> {
    await dependencies.database.transactional(async (sql) => {
      await sql.run("update shards set roster_version = roster_version + 1");
      await sql.run(
        `insert into strategy_param_versions (strategy_id, version, params, changed_by)
         select strategy_id, $1, coalesce($2::jsonb, params), 'test'
         from strategy_param_versions where version = 1`,
        [version, params],
      );
      await sql.run(
        `update strategies s set params_version = p.version, instance_params = p.params
         from strategy_param_versions p where p.strategy_id = s.id and p.version = $1`,
        [version],
      );
    });
  }
});

/** The bundled days from where on the first tick comes in a busy time: positions are opened and closed. */
async function busyDays(resources: AsyncDisposableStack): Promise<string> {
  const [head = "", ...days] = (await readFile("data/candles/bitcoin-daily.csv", "utf8")).split(
    "\n",
  );
  const path = join(await temporaryFolder(resources), "bitcoin-daily.csv");
  await writeFile(path, [head, ...days.filter((day) => day >= "2018-02-01")].join("\n"));
  return path;
}

/** Ten days of bars of 15 minutes that climb in waves. */
async function quarters(resources: AsyncDisposableStack): Promise<string> {
  const price = (bar: number): number => 100 * 1.0004 ** bar * (1 + 0.02 * Math.sin(bar / 12));
  const lines = Array.from({ length: 960 }, (_, bar) => {
    const [open, close] = [price(bar), price(bar + 1)];
    const [high, low] = [Math.max(open, close) * 1.002, Math.min(open, close) * 0.998];
    const time = Date.UTC(2024, 0, 1) + bar * 900_000;
    return [time, ...[open, high, low, close].map((value) => value.toFixed(4)), 1_000_000].join(
      ",",
    );
  });
  const path = join(await temporaryFolder(resources), "BTC-USDT-15m.csv");
  await writeFile(path, ["timestamp_ms,open,high,low,close,volume", ...lines, ""].join("\n"));
  return path;
}

function composeIds(cause: string): string {
  return `select compose_id from strategy_compose_cycles where cause = '${cause}'`;
}

const kinds = `
  select d.name || ' ' || case
      when c.cause = 'stop' then 'stop'
      when c.status = 'failed' then 'failed'
      when exists (
        select 1 from strategy_instructions i where i.compose_id = c.compose_id
          and (i.note like 'stop loss at %' or i.note like 'take profit at %')) then 'protected'
      else 'decided' end as kind
  from strategy_compose_cycles c
  join strategies s on s.id = c.strategy_id
  join strategy_definitions d on d.id = s.strategy_definition_id
  group by 1 order by 1`;
